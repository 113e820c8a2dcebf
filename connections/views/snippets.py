"""Programs that use a connection, ready to run: in a shell, in Python, with Amazon's own SDK.

The API key comes from the environment, so that none ever stands in a page. Whatever a person typed is quoted for the language it
stands in. Each snippet is run as it is printed, in tests/browser/test_snippets.py.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, urlsplit

from django.conf import settings

from connections.actions import calls
from connections.actions.calls import CallError
from connections.actions.outgoing import ACCEPT, CONTENT_TYPE
from connections.applications import SdkCall
from connections.models import Connection, Scope
from connections.models.choices import AuthType

KEY = "GATEHOUSE_KEY"  # the environment variable
CURL = "curl -sS --fail-with-body"
SHELL_KEY = f'-H "Authorization: Bearer ${KEY}"'
PYTHON_KEY = f'"Authorization": "Bearer " + os.environ["{KEY}"]'
SECONDS = 90  # longer than Gatehouse lets anybody wait for a new token
NEEDS_CONVERTING = {"form-data", "urlencoded"}  # media types whose body Gatehouse may write itself


@dataclass(frozen=True)
class Snippet:
    id: str
    label: str
    text: str


@dataclass(frozen=True)
class Way:
    """One way to use a connection. `why_not` says why there are no snippets for it."""

    title: str
    text: str
    snippets: list[Snippet]
    why_not: str = ""


@dataclass(frozen=True)
class Example:
    """The request that the snippets make. `path` as it stands behind the base URI, `url` the whole of it."""

    method: str
    path: str
    url: str
    body: str = ""
    content_type: str = ""
    sdk: SdkCall | None = None


def ways(connection: Connection, *, now: datetime) -> list[Way]:
    """How a program may use `connection`; `now` places the window of time that an example asks for."""
    example = _example(connection, now=now)
    through = Way(
        "Through Gatehouse",
        "Send the request to Gatehouse. It adds what the API wants: token, headers, certificate, signature. "
        "The key needs “Send requests through a connection”.",
        [
            Snippet("proxy-curl", "curl", _curl_through(connection, example)),
            Snippet("proxy-python", "Python, requests", _python_through(connection, example)),
        ],
    )
    if connection.auth_type != AuthType.OAUTH2:
        return [through]
    return [_directly(connection, example), through]


def _directly(connection: Connection, example: Example) -> Way:
    title = "With its token"
    if connection.placement.location == "body":
        return Way(title, "", [], "This API takes the token in the body of each request. Gatehouse puts it there.")
    if connection.tls_certificate:
        return Way(title, "", [], "This API asks for a TLS client certificate, whose key never leaves Gatehouse.")
    text = (
        "Take the token and call the API yourself. Ask again when it is about to end: Gatehouse keeps it fresh, and its "
        "refresh token never leaves. The key needs “Get tokens”."
    )
    snippets = [
        Snippet("token-curl", "curl and jq", _curl_token(connection, example)),
        Snippet("token-python", "Python, requests", _python_token(connection, example)),
    ]
    if example.sdk:
        snippets.append(Snippet("token-sdk", "Python, Amazon’s SDK", _amazon_sdk(connection, example.sdk)))
    return Way(title, text, snippets)


def trial(scopes: Collection[str], connection: Connection | None, *, now: datetime) -> str:
    """A request for a shell that shows that a key of these scopes works; "" where there is nothing it could ask for."""
    if Scope.CONNECTIONS in scopes:
        return _shell(CURL, SHELL_KEY, _word(f"{settings.PUBLIC_URL}/api/v1/connections"))
    if connection is None:
        return ""
    if Scope.PROXY in scopes:
        return _curl_through(connection, _example(connection, now=now))
    if Scope.TOKENS in scopes:
        return _shell(CURL, SHELL_KEY, _word(f"{address(connection)}/token"))
    return _shell(f"{CURL} -X POST", SHELL_KEY, _word(f"{address(connection)}/test"))


def address(connection: Connection) -> str:
    return f"{settings.PUBLIC_URL}/api/v1/connections/{connection.pk}"


def _example(connection: Connection, *, now: datetime) -> Example:
    """The connection's test call where a program can make it as it is; else its base URI."""
    request = calls.test_request(connection, now=now)
    body = str(request.body)
    method = "GET" if request.method in ("", "HEAD") else request.method
    try:
        if body and connection.media_type in NEEDS_CONVERTING:
            raise CallError("invalid_request", "")
        path = _quoted(request.path)
        url = calls.target(connection, path)
    except CallError:
        method, path, body, url = "GET", "", "", connection.base_uri
    known = connection.provider.test_call(
        grant_type=connection.grant_type, base_uri=connection.base_uri, scope=connection.scope
    )
    content_type = CONTENT_TYPE.get(connection.media_type, "") if body else ""
    return Example(method, path.lstrip("/"), url, body, content_type, known.sdk)


def _quoted(path: str) -> str:
    """A path with query in plain ASCII, without what curl takes for a pattern."""
    return quote(path, safe="/?&=%:@!$'()*+,;~")


def _headers(connection: Connection) -> dict[str, str]:
    """What Gatehouse would send besides the token: headers that hold a secret are not among them."""
    accept = ACCEPT.get(connection.success_media_type or connection.media_type, "")
    typed = {name: text for name, text in connection.headers if "{{" not in text}
    return ({"Accept": accept} if accept and "accept" not in map(str.lower, typed) else {}) | typed


def hidden_headers(connection: Connection) -> list[str]:
    """Names of headers that only Gatehouse can send, because it fills in what they hold."""
    return [name for name, text in connection.headers if "{{" in text]


# A shell


def _shell(*lines: str) -> str:
    return " \\\n  ".join(lines)


def _curl_through(connection: Connection, example: Example) -> str:
    return _shell(_curl(example), SHELL_KEY, *_curl_body(example), _word(f"{address(connection)}/proxy/{example.path}"))


def _curl_token(connection: Connection, example: Example) -> str:
    placed = connection.placement
    token = f"{placed.prefix} ".lstrip()
    options = [f"-H {shlex.quote(f'{name}: {text}')}" for name, text in _headers(connection).items()]
    if placed.location == "query":
        how = "--get --data-urlencode" if example.method == "GET" else "--url-query"
        options.append(f"{how} {_with_token(f'{placed.name}={token}')}")
    else:
        options.append(f"-H {_with_token(f'{placed.name}: {token}')}")
    fetch = _shell(f"TOKEN=$({CURL}", SHELL_KEY, f"{_word(address(connection) + '/token')}")
    call = _shell(_curl(example), *options, *_curl_body(example), _word(example.url))
    return f"{fetch} |\n  jq -er '.access_token // error(.detail)') &&\n{call}"


def _curl(example: Example) -> str:
    return CURL if example.method == "GET" else f"{CURL} -X {example.method}"


def _curl_body(example: Example) -> list[str]:
    if not example.body:
        return []
    return [f"-H {_word(f'Content-Type: {example.content_type}')}", f"--data-raw {_word(example.body)}"]


def _with_token(text: str) -> str:
    """A word of `text` and the token behind it."""
    return f'"{text}$TOKEN"' if re.fullmatch(r"[\w .:=-]*", text, re.ASCII) else f'{shlex.quote(text)}"$TOKEN"'


def _word(text: str) -> str:
    """In quotation marks also where it would not need them: a person puts another path in its place."""
    quoted = shlex.quote(text)
    return quoted if quoted.startswith("'") else f"'{quoted}'"


# Python


def _python_through(connection: Connection, example: Example) -> str:
    url = _literal(f"{address(connection)}/proxy/{example.path}")
    return f"# pip install requests\nimport os\n\nimport requests\n\n{_python_call(example, url, [PYTHON_KEY])}"


def _python_token(connection: Connection, example: Example) -> str:
    placed = connection.placement
    prefix = f"{_literal(placed.prefix + ' ')} + " if placed.prefix else ""
    sent = f"{_literal(placed.name)}: {prefix}access_token()"
    headers = [f"{_literal(name)}: {_literal(text)}" for name, text in _headers(connection).items()]
    in_query = placed.location == "query"
    call = _python_call(example, _literal(example.url), headers + [sent] * (not in_query), sent if in_query else "")
    return f"""\
# pip install requests
import os
import time

import requests

TOKEN = {_literal(address(connection) + "/token")}
held = {{"good_until": 0}}


def access_token():
    \"\"\"The token as long as it is good; a minute before it ends Gatehouse is asked for the next.\"\"\"
    if time.time() > held["good_until"] - 60:
        key = os.environ["{KEY}"]
        answer = requests.get(TOKEN, headers={{"Authorization": f"Bearer {{key}}"}}, timeout={SECONDS})
        if not answer.ok:
            raise RuntimeError(answer.text)  # what happened, and what to do
        held.update(answer.json(), good_until=time.time() + answer.json()["expires_in"])
    return held["access_token"]


{call}"""


def _python_call(example: Example, url: str, headers: list[str], params: str = "") -> str:
    if example.body:
        headers = [*headers, f'"Content-Type": {_literal(example.content_type)}']
    given = [url, f"headers={{{', '.join(headers)}}}"]
    given += [f"params={{{params}}}"] if params else []
    given += [f"data={_literal(example.body)}.encode()"] if example.body else []
    arguments = "".join(f"    {argument},\n" for argument in [*given, f"timeout={SECONDS}"])
    return f"answer = requests.{example.method.lower()}(\n{arguments})\nprint(answer.text)\nanswer.raise_for_status()\n"


def _amazon_sdk(connection: Connection, sdk: SdkCall) -> str:
    """The SDK asks an object for the token before each call. Its own one would want client secret and refresh token."""
    base = urlsplit(connection.base_uri)  # the SDK's paths begin behind the host
    times = "from datetime import datetime, timedelta, timezone\n" if "datetime" in sdk.call else ""
    return f"""\
# pip install amzn-sp-api requests
import os
import time
{times}
import requests
from spapi import ApiClient, Configuration
from {sdk.module} import {sdk.api}

TOKEN = {_literal(address(connection) + "/token")}


class Gatehouse:
    \"\"\"Hands the SDK its token before each call; a minute before it ends Gatehouse is asked for the next.\"\"\"

    token, good_until = None, 0

    def get_lwa_access_token(self):
        if time.time() > self.good_until - 60:
            key = os.environ["{KEY}"]
            answer = requests.get(TOKEN, headers={{"Authorization": f"Bearer {{key}}"}}, timeout={SECONDS})
            if not answer.ok:
                raise RuntimeError(answer.text)  # what happened, and what to do
            self.token = answer.json()["access_token"]
            self.good_until = time.time() + answer.json()["expires_in"]
        return self.token


configuration = Configuration()
configuration.host = {_literal(f"{base.scheme}://{base.netloc}")}
configuration.access_token_cache = Gatehouse()

api = {sdk.api}(ApiClient(configuration))
print(api.{sdk.call})
"""


def _literal(text: str) -> str:
    """A string of Python, in double quotation marks: JSON's escapes are Python's too."""
    return json.dumps(text, ensure_ascii=False)
