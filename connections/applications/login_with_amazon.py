"""Login with Amazon by itself: a customer's profile, with plain OAuth 2.0 and PKCE."""

from __future__ import annotations

from connections.applications import amazon, amazon_errors
from connections.applications.application import Application, TestCall

SIGN_IN_URL = "https://www.amazon.com/ap/oa"

APPLICATION = Application(
    slug="login-with-amazon",
    name="Login with Amazon",
    summary="The profile of an Amazon customer who signs in and agrees: name, email address, postal code.",
    keywords=("amazon", "lwa", "login", "sign in", "profile", "customer"),
    vendor="Amazon",
    consent="standard",
    initial={
        "base_uri": "https://api.amazon.com",
        "media_type": "json",
        "auth_type": "oauth2",
        "grant_type": "authorization_code",
        "client_authentication": "client_secret_post",
        "authorization_url": SIGN_IN_URL,
        "token_url": amazon.TOKEN_URL,
        "scope": "profile",
        "pkce": "S256",
        "code_param": "code",
        "revoke_url": "",
        "ping_method": "GET",
    },
    authorization_url_template=SIGN_IN_URL,
    token_hosts=(amazon.TOKEN_HOST, *amazon.REGIONAL_TOKEN_HOSTS),
    https_redirect_only=True,
    rotates_refresh_tokens=False,
    client_id_prefixes=amazon.CLIENT_ID_PREFIXES,
    client_secret_prefixes=amazon.CLIENT_SECRET_PREFIXES,
    application_id_prefixes=amazon.APPLICATION_ID_PREFIXES,
    refresh_token_prefix=amazon.REFRESH_TOKEN_PREFIX,
    access_token_prefix=amazon.ACCESS_TOKEN_PREFIX,
    refresh_token_max_bytes=2048,
    scopes=amazon.PROFILE_SCOPES,
    call=TestCall(
        method="GET",
        path="/user/profile",
        note="Reads the profile of the customer who agreed. Needs the scope profile.",
    ),
    grantless_calls={
        "": TestCall(method="", path="", note="Getting a token is the whole test: it belongs to no customer.")
    },
    rules=amazon_errors.login_rules(amazon.TOKEN_URL),
)
