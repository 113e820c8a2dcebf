"""What each event means, in words: the one table of them. An action without a sentence here fails a test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connections.models import Connection, OAuthClient, Scope

Detail = dict[str, Any]
Title = Callable[[Detail], str]  # of a failure, as its provider's explanations have it; "" where there is none
LABELS = {
    field.name: f"{str(field.verbose_name)[:1].upper()}{str(field.verbose_name)[1:]}"
    for model in (OAuthClient, Connection)
    for field in model._meta.fields
}


def _changed(detail: Detail, title: Title) -> str:
    named = [LABELS.get(name, name) for name in detail.get("changes") or {}]
    return "Changed: " + ", ".join(named) if named else "Saved without a change"


def _tested(detail: Detail, title: Title) -> str:
    what = "Test" if detail.get("saved", True) else "Test of values not saved"
    if detail.get("ok"):
        return f"{what} passed"
    return f"{what} cancelled" if detail.get("cancelled") else f"{what} failed"


def _exported(detail: Detail, title: Title) -> str:
    return f"Exported, {_count(detail.get('count'), 'connection')}"


def _imported(detail: Detail, title: Title) -> str:
    return f"Imported {_count(detail.get('connections'), 'connection')} and {_count(detail.get('clients'), 'client')}"


def _offline(detail: Detail, title: Title) -> str:
    return _because("Went offline", detail, title)


def _failed(detail: Detail, title: Title) -> str:
    return _because("Authorization failed", detail, title)


def _not_revoked(detail: Detail, title: Title) -> str:
    return _because("The provider did not end the tokens", detail, title)


def _authorized(detail: Detail, title: Title) -> str:
    return f"Authorized as {detail['identity']}" if detail.get("identity") else "Authorized"


def _dropped(detail: Detail, title: Title) -> str:
    if detail.get("reason") == "pointed elsewhere":
        return "Tokens deleted, because it now calls another address or uses another client"
    return "Tokens deleted here"


def _recording(detail: Detail, title: Title) -> str:
    return f"Recording of calls started, for {_count(detail.get('minutes'), 'minute')}"


def _downloaded(detail: Detail, title: Title) -> str:
    return f"Recording downloaded, {_count(detail.get('count'), 'call')}"


def _joined(detail: Detail, title: Title) -> str:
    return f"{detail.get('member', 'Somebody')} joined as {detail.get('role', 'a member')}"


def _made_key(detail: Detail, title: Title) -> str:
    known = dict(Scope.choices)
    return "API key created: " + ", ".join(str(known.get(scope, scope)) for scope in detail.get("scopes") or [])


def _read(detail: Detail, title: Title) -> str:
    return f"Access token handed out {_times(detail)}"


def _called(detail: Detail, title: Title) -> str:
    return f"Called through Gatehouse {_times(detail)}"


def _refused(detail: Detail, title: Title) -> str:
    return f"No access token handed out: {_reason(detail)}"


def _key_refused(detail: Detail, title: Title) -> str:
    return f"API key refused: {_reason(detail)}"


# By action: a sentence, or what makes one of the event's detail.
SENTENCES: dict[str, str | Callable[[Detail, Title], str]] = {
    "api_key.create": _made_key,
    "api_key.refuse": _key_refused,
    "api_key.revoke": "API key revoked",
    "authorization.begin": "Sent to the provider to authorize",
    "authorization.cancel": "Authorization cancelled",
    "authorization.fail": _failed,
    "client.create": "Client created",
    "client.delete": "Client deleted",
    "client.update": _changed,
    "connection.clone": "Made as a copy of another connection",
    "connection.create": "Created",
    "connection.delete": "Deleted",
    "connection.draft": "Became a draft: it has no token any more",
    "connection.export": _exported,
    "connection.import": _imported,
    "connection.offline": _offline,
    "connection.online": "Went online",
    "connection.test": _tested,
    "connection.update": _changed,
    "grant.authorize": _authorized,
    "grant.drop": _dropped,
    "grant.refresh": "Access token refreshed",
    "grant.revoke": "Tokens ended at the provider and deleted here",
    "grant.revoke_fail": _not_revoked,
    "recording.download": _downloaded,
    "recording.start": _recording,
    "recording.stop": "Recording of calls stopped",
    "team.join": _joined,
    "user.sign_in": "Signed in",
    # Written by what serves integrations.
    "proxy.call": _called,
    "token.read": _read,
    "token.refresh": "Access token refreshed, because an integration asked for it",
    "token.refuse": _refused,
}
COUNTED = {"proxy.call", "token.read"}  # one event tells of a whole minute
ROUTINE = {*COUNTED, "grant.refresh", "token.refresh"}  # goes on while nobody looks
GOOD = {"connection.online", "grant.authorize"}
BAD = {"api_key.refuse", "authorization.fail", "connection.offline", "grant.revoke_fail", "token.refuse"}


def sentence(action: str, detail: Detail, title: Title = lambda failure: "") -> str:
    """What happened, without who and when; the action itself where another version of Gatehouse wrote it."""
    words = SENTENCES.get(action, action)
    return words if isinstance(words, str) else words(detail, title)


def kind(action: str, detail: Detail) -> str:
    """ok, bad or "", for the eye."""
    if action == "connection.test":
        return "ok" if detail.get("ok") else "" if detail.get("cancelled") else "bad"
    return "ok" if action in GOOD else "bad" if action in BAD else ""


def _because(what: str, detail: Detail, title: Title) -> str:
    failure = detail.get("failure")
    why = title(failure) if isinstance(failure, dict) else ""
    return f"{what}. {why}" if why else what


def _count(count: Any, noun: str) -> str:
    return f"{count or 0} {noun}" if count == 1 else f"{count or 0} {noun}s"


def _times(detail: Detail) -> str:
    count = detail.get("count") or 1
    return "once" if count == 1 else f"{count} times"


def _reason(detail: Detail) -> str:
    """The API's word for it, and how often it was the same while nothing was written."""
    since = detail.get("unwritten") or 0
    return str(detail.get("reason") or "refused").replace("_", " ") + (f", and {since} times before" if since else "")
