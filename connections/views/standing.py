"""How a connection stands, in plain words: used, refreshed, authorized, when it ends and when it is tried again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from django.utils import timezone
from django.utils.dateformat import format

from connections.models import Connection, Grant
from connections.models.choices import AuthType, Status

SHORT = "j M Y, H:i"
SOON = timedelta(days=30)  # before an authorization ends, it is time to renew it


@dataclass(frozen=True)
class Fact:
    """One row. `kind` where the eye must not miss it; the words say it too."""

    label: str
    text: str
    kind: Literal["", "warning", "offline"] = ""


def context(connection: Connection) -> dict[str, Any]:
    """What connections/_facts.html draws of a saved connection, its problem aside."""
    return {"facts": facts(connection), "waits_for": waits_for(connection)}


def facts(connection: Connection, *, now: datetime | None = None) -> list[Fact]:
    """Of a saved connection, with its grant already fetched."""
    now = now or timezone.now()
    grant: Grant | None = getattr(connection, "grant", None)
    used = _at(connection.last_used_at) if connection.last_used_at else "Nobody has used it yet"
    found = [_next_attempt(connection, grant, now), Fact("Last used", used)]
    if grant is not None:
        found += [_authorized(grant), _ends(connection, grant, now), _token(connection, grant, now), _refreshed(grant)]
    return [fact for fact in found if fact]


def notes(connection: Connection, *, now: datetime | None = None) -> list[Fact]:
    """What a row of the list says below the status: since when it is offline, when it was used, and what ends soon."""
    now = now or timezone.now()
    found = []
    if connection.status == Status.OFFLINE:
        found.append(Fact("", f"since {format(connection.status_since, SHORT)}"))
    if connection.last_used_at:
        found.append(Fact("", f"used {format(connection.last_used_at, SHORT)}"))
    grant: Grant | None = getattr(connection, "grant", None)
    until = authorized_until(connection, grant) if grant else None
    if until and until - now <= SOON:
        text = f"authorized until {format(until, SHORT)}"
        found.append(Fact("", text, "warning" if until > now else "offline"))
    return found


def _at(moment: datetime) -> str:
    return f"{format(moment, SHORT)} UTC"


def _next_attempt(connection: Connection, grant: Grant | None, now: datetime) -> Fact | None:
    """Offline is tried again by itself, but for a grant that the provider has ended."""
    if connection.status != Status.OFFLINE:
        return None
    if grant is not None and grant.is_refused:
        return Fact("Next attempt", "None: it has to be authorized again first")
    planned = [moment for moment in (connection.check_at, grant and grant.retry_at) if moment]
    if not planned:
        return None
    return Fact("Next attempt", f"{_at(min(planned))}, by itself" if min(planned) > now else "In a moment, by itself")


def _authorized(grant: Grant) -> Fact | None:
    if not grant.authorized_at:
        return None
    text = _at(grant.authorized_at)
    text += f" by {grant.authorized_by}" if grant.authorized_by else ""
    return Fact("Authorized", text + (f" as {grant.upstream_identity}" if grant.upstream_identity else ""))


def _ends(connection: Connection, grant: Grant, now: datetime) -> Fact | None:
    """When the provider ends the authorization however often the token is refreshed."""
    until = authorized_until(connection, grant)
    if until is None:
        return None
    if until <= now:
        text = f"{_at(until)}. It is over: authorize it again"
        return Fact("Authorized until", text, "offline")
    if until - now <= SOON:
        days = (until - now).days
        left = f"{days} days left" if days > 1 else "one day left" if days else "less than a day left"
        return Fact("Authorized until", f"{_at(until)}, {left}: authorize it again before", "warning")
    return Fact("Authorized until", _at(until))


def authorized_until(connection: Connection, grant: Grant) -> datetime | None:
    """None where its provider sets no end, or nobody authorized it."""
    days = connection.provider.authorization_lifetime_days
    if not (days and connection.needs_consent and grant.authorized_at):
        return None
    return grant.authorized_at + timedelta(days=days)


def _token(connection: Connection, grant: Grant, now: datetime) -> Fact | None:
    if grant.expires_at is None or grant.access_token is None:
        return None
    if grant.expires_at <= now:
        return Fact("Access token", f"ended {_at(grant.expires_at)}")
    is_kept_up = grant.refresh_token is not None or not connection.needs_consent
    then = ", then refreshed by itself" if is_kept_up and connection.status != Status.OFFLINE else ""
    return Fact("Access token", f"until {_at(grant.expires_at)}{then}")


def _refreshed(grant: Grant) -> Fact | None:
    return Fact("Last refreshed", _at(grant.refreshed_at)) if grant.refreshed_at else None


def waits_for(connection: Connection) -> str:
    """What a draft of OAuth 2.0 lacks; "" for any other connection."""
    if connection.status != Status.DRAFT or connection.auth_type != AuthType.OAUTH2:
        return ""
    return "Nobody has authorized it yet." if connection.needs_consent else "It has no token yet."
