"""Any HTTP API: nothing is known about it but what a person types."""

from __future__ import annotations

from connections.applications.application import Application, TestCall
from connections.applications.general_errors import general_rules

APPLICATION = Application(
    slug="http",
    name="HTTP",
    summary="Any HTTP API, with the addresses and credentials you enter.",
    keywords=("http", "rest", "api", "oauth", "generic", "custom", "json", "xml"),
    initial={
        "media_type": "json",
        "auth_type": "oauth2",
        "grant_type": "authorization_code",
        "client_authentication": "client_secret_post",
        "scope": "",
        "pkce": "S256",
        "code_param": "code",
        "ping_method": "GET",
    },
    call=TestCall(
        method="GET", path="", note="Calls Base URI itself. Fill in Relative URI to call something more telling."
    ),
    rules=general_rules("the provider"),
)
