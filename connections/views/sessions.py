"""What a browser session keeps for us."""

from __future__ import annotations

import secrets

from django.http import HttpRequest

KEY = "authorization_secret"


def session_secret(request: HttpRequest) -> str:
    """A secret of this browser session that authorization attempts are bound to; made when first asked for."""
    secret: str | None = request.session.get(KEY)
    if secret is None:
        secret = request.session[KEY] = secrets.token_urlsafe(32)
    return secret
