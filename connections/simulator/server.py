"""The application: which path is answered by what, with the calls noted and the faults in between."""

import sys
import traceback
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.wrappers import Request, Response

from connections.simulator import answers, control, control_page, faults, lwa, sp_api
from connections.simulator.consent import CONSENT_PATH, consent
from connections.simulator.pages import STYLE_PATH, style
from connections.simulator.sign_in import SIGN_IN_PATH, sign_in
from connections.simulator.state import State

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

BODY_AT_MOST: Final = 1_000_000  # bytes

View = Callable[[State, Request], Response]

_PAGES: Final[dict[str, tuple[View, tuple[str, ...]]]] = {
    CONSENT_PATH: (consent, ("GET", "HEAD", "POST")),
    SIGN_IN_PATH: (sign_in, ("GET", "HEAD", "POST")),
    lwa.TOKEN_PATH: (lwa.token, ("POST",)),
}


class Application:
    """The simulator as a WSGI application with its own state."""

    def __init__(self, state: State | None = None) -> None:
        self.state = state or State()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        request = Request(environ)
        request.max_content_length = request.max_form_memory_size = BODY_AT_MOST
        try:
            response = self._answer(request)
        except HTTPException as error:
            response = Response.force_type(error.get_response(environ), environ)
        except Exception:
            traceback.print_exc(file=sys.stderr)
            response = answers.refusal(answers.internal_failure())
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        if request.path == "/":
            return control_page.desk(self.state, request)
        if request.path == STYLE_PATH:
            return style(self.state, request)
        if request.path == "/favicon.ico":
            return Response(status=204)
        if request.path.startswith(control.CONTROL):
            return control.control(self.state, request)
        return self._simulate(request)

    def _simulate(self, request: Request) -> Response:
        """Answer what a product may call: noted, and failed if a fault is waiting for it."""
        grant_type = lwa.grant_type(request) if request.path == lwa.TOKEN_PATH else None
        call = self.state.record(request.method, request.path, grant_type)
        try:
            fault = self.state.take_fault(request.path)
            if fault and fault.delay_ms:
                self.state.sleep(fault.delay_ms / 1000)
            is_answered = fault is not None and fault.status is not None
            response = faults.answer(fault, request.path) if fault and is_answered else self._usual(request)
        except HTTPException as error:
            call.status = error.code
            raise
        except Exception:
            call.status = 500
            raise
        call.status = response.status_code
        return response

    def _usual(self, request: Request) -> Response:
        view, methods = _PAGES.get(request.path, (sp_api.call, ()))
        if methods and request.method not in methods:
            raise MethodNotAllowed(methods)
        return view(self.state, request)
