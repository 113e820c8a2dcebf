"""Pairs: what a token answer makes of a grant's row, and a refusal of a connection's failure."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

from django.db.models import F
from django.utils import timezone

from connections.applications import Failure
from connections.models import Grant
from connections.oauth.errors import OAuthError
from connections.oauth.tokens import Tokens
from connections.sealing import Sealed

AHEAD = timedelta(minutes=5)  # a token is renewed this long before it ends or earlier, so that nobody waits for it
# A grant is used at least this often, since providers forget those that nobody uses (30, 60 or 90 days are common).
KEEP_ALIVE = timedelta(days=7)
MAX_LIFETIME = 10 * 365 * 86400


def token_fields(grant: Grant, tokens: Tokens) -> dict[str, Any]:
    """What an update of the grant's row must write: the pair together, the generation moved, the lease and failures gone.

    No refresh token in the answer keeps the old one. No lifetime in it means the last one known (one hour at first).
    """
    now = timezone.now()
    lifetime = min(tokens.expires_in, MAX_LIFETIME) if tokens.expires_in else grant.lifetime
    ends_at = now + timedelta(seconds=lifetime)
    fields = {
        "access_token": _sealed(grant, "access_token", tokens.access_token),
        "token_type": text(tokens.token_type, 50),
        "expires_at": ends_at,
        "refresh_at": ends_at if _is_same(grant, tokens) else min(ends_at - _ahead(lifetime), now + KEEP_ALIVE),
        "lifetime": lifetime,
        "generation": F("generation") + 1,
        "refreshed_at": now,
        "failures": 0,
        "failed_at": None,
        "retry_at": None,
        "is_refused": False,
        "lease_owner": "",
        "lease_expires_at": None,
        "queued_until": None,
    }
    if tokens.refresh_token:
        fields["refresh_token"] = _sealed(grant, "refresh_token", tokens.refresh_token)
    if tokens.scope:
        fields["scope"] = text(tokens.scope, 2000)
    return fields


def _ahead(lifetime: int) -> timedelta:
    """How long before its end a token is renewed. Spread, so that what was authorized at one time is not renewed at one time;
    short-lived ones in the last third of their life.
    """
    return min(AHEAD, timedelta(seconds=lifetime) / 6) * random.uniform(1, 2)  # noqa: S311  no secret in it


def _is_same(grant: Grant, tokens: Tokens) -> bool:
    """Some providers give out the same token until it ends. Asking for it ahead of time is in vain."""
    return grant.access_token is not None and grant.access_token.is_text(tokens.access_token)


def text(text: str, length: int) -> str:
    """What both databases can keep: no NUL, no half of a surrogate pair. An odd word must not cost the tokens beside it."""
    return text.replace("\0", "").encode(errors="replace").decode()[:length]


def _sealed(grant: Grant, column: str, text: str) -> Sealed:
    return Grant._meta.get_field(column).seal(grant, text)  # type: ignore[union-attr, no-any-return]


def token_failure(error: OAuthError) -> Failure:
    return Failure(
        error=error.error,
        description=text(error.description, 500),
        status=error.status,
        request_id=error.request_id and text(error.request_id, 128),
        where="token",
    )
