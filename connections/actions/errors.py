"""Why an action was refused. Views turn each into a sentence; nothing here holds a secret."""

from __future__ import annotations

from typing import Any, Literal

from django.db import models

from connections.applications import Failure


class ActionError(Exception):
    """An action was refused. Its text is a plain sentence for the person who asked."""


class StaleError(ActionError):
    """Somebody saved in between (optimistic locking). `current` is what is stored now."""

    def __init__(self, current: models.Model) -> None:
        super().__init__("Somebody else saved this in the meantime.")
        self.current = current


class InUseError(ActionError):
    """It cannot be deleted while others use it; `users` names them."""

    def __init__(self, users: list[str]) -> None:
        super().__init__("Still used by " + ", ".join(users) + ".")
        self.users = users


class SecretHostError(ActionError):
    """A client's secret may not be posted to this host. `field` is where in the pane that is told."""

    field = "token_url"

    def __init__(self, host: str, allowed: list[str]) -> None:
        may = (
            f"only to {', '.join(allowed)}, not to {host}"
            if allowed
            else f"to {host} only when that host is on its list"
        )
        super().__init__(
            f"This client's secret may go {may}. Add the host with the pencil; that needs the secret again."
        )
        self.host = host
        self.allowed = allowed


class ReachError(SecretHostError):
    """A client that asks for tokens on its own may not be used for this API by this person."""

    field = "base_uri"

    def __init__(self, origin: str, client: str) -> None:
        ActionError.__init__(
            self,
            f"With client credentials nobody agrees at the provider, so {client} serves only the addresses it serves already. "
            f"Whoever entered its secret, or an administrator, can point it at {origin}.",
        )


Code = Literal[
    "not_authorized_yet",
    "reauthorization_required",
    "client_rejected",
    "secret_unreadable",
    "provider_unavailable",
    "misconfigured",
]


# By the kind of an OAuthError.
CODES: dict[str, Code] = {
    "reauthorize": "reauthorization_required",
    "client": "client_rejected",
    "misconfigured": "misconfigured",
    "transient": "provider_unavailable",
}


class GrantError(ActionError):
    """No token could be had. `code` is the API's word for it (design §5); `failure` is what the provider said."""

    def __init__(self, code: Code, failure: Failure, *, retry_after: float | None = None) -> None:
        super().__init__(failure.description or failure.error)
        self.code = code
        self.failure = failure
        self.retry_after = retry_after


def problem(error: str) -> Failure:
    """A failure of our own making, before any provider was asked."""
    return Failure(error=error, where="token")


def as_json(failure: Failure) -> dict[str, Any]:
    return {
        "error": failure.error,
        "description": failure.description,
        "status": failure.status,
        "request_id": failure.request_id,
        "where": failure.where,
    }


def from_json(stored: dict[str, Any]) -> Failure:
    return Failure(**stored)
