"""The first start: until somebody opened the one-time setup link, nothing else is reachable."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from connections.actions import teams
from connections.actions.errors import ActionError
from connections.forms.setup import SetupForm
from connections.views.errors import refused

ALWAYS_OPEN = ("/setup/", "/healthz", "/readyz", "/static/")


class SetupFirst:
    """Before the first owner exists every page says how to begin. Costs no query once there is one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.is_set_up = False

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not self.is_set_up and not request.path.startswith(ALWAYS_OPEN):
            self.is_set_up = teams.is_set_up()
            if not self.is_set_up:
                text = "Open the setup link from the server’s output. If it is gone: manage.py setup_link prints a new one."
                return refused(
                    request, status=503, title="Gatehouse is not set up yet", text=text, action="Try again", url="/"
                )
        return self.get_response(request)


@never_cache
@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def setup(request: HttpRequest, token: str) -> HttpResponse:
    if teams.is_set_up():
        return refused(request, status=404, title="Gatehouse is already set up", text="Sign in, or ask an owner to invite you.",
                       action="Sign in", url=reverse("account_login"))  # fmt: skip
    try:
        teams.check_setup_token(token)
    except ActionError as error:
        return refused(request, status=404, title="This setup link does not work", text=str(error))
    form = SetupForm(request.POST or None)
    if not form.is_valid():
        return render(request, "setup/setup.html", {"form": form}, status=422 if form.is_bound else 200)
    typed = form.cleaned_data
    try:
        membership = teams.set_up(
            email=typed["email"],
            password=typed["password"],
            team_name=typed["team_name"],
            address=request.META.get("REMOTE_ADDR", ""),
            user_agent=request.headers.get("User-Agent", ""),
        )
    except ActionError as error:
        return refused(
            request,
            status=409,
            title="Gatehouse is already set up",
            text=str(error),
            action="Sign in",
            url=reverse("account_login"),
        )
    login(request, membership.user, backend=settings.AUTHENTICATION_BACKENDS[0])
    return redirect("connections")
