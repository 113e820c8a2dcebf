"""What can be made to differ from Amazon's usual behaviour, with `POST /_control/config`.

The keys, their defaults and what they do are the fields of `Configuration`; `GET /_control/config` answers their
present values. A change merges: keys that are not named keep their value.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

CLIENT_SECRET = "amzn1.oa2-cs.v1.simulator"

CONSENT_ERRORS: dict[str, str] = {
    "MD1000": "The application is a draft and the link lacks version=beta, or the application id is not one.",
    "MD4100": "We cannot find this application.",
    "MD5100": "The permission version of this application is not valid.",
    "MD5101": "The redirect URI is not registered for this application.",
    "MD5110": "The redirect URI contains a “#”.",
    "MD9100": "No redirect URI was sent and none is registered for this application.",
    "MD9999": "The link is malformed.",
    "SPDC8143": "You are not the primary user of this account.",
    "SPSA0404": "This business entity is not supported.",
    "SPSA2043": "The vendor group lacks the role SPDS-VC-MYA.",
    "CONSENT_LIMIT_REACHED": "This application has reached the number of authorizations it may have.",
}


class ConfigurationError(ValueError):
    """A key that does not exist or a value of the wrong kind; the text says which and what is possible."""


def _key(default: Any, about: str, *choices: str) -> Any:
    return field(default=default, metadata={"about": about, "choices": choices})


@dataclass(frozen=True)
class Configuration:
    """One field a key. Times are seconds."""

    # Tokens
    access_token_ttl: int = _key(3600, "Seconds an access token lives; also what expires_in says.")
    rotate_refresh_tokens: bool = _key(False, "Each refresh gives a new refresh token; the one before stops working.")
    omit_refresh_token: bool = _key(False, "Leave refresh_token out of every token answer.")
    omit_expires_in: bool = _key(False, "Leave expires_in out of every token answer.")
    expires_in_as_text: bool = _key(False, 'Send expires_in as text: "3600".')
    # Client
    client_secret: str = _key(CLIENT_SECRET, "The first client's secret; the one before stops working at once.")
    client_secret_expired: bool = _key(False, "The API refuses every token: the LWA secret has expired.")
    rotation_enrolled: bool = _key(True, "The client is enrolled for secret rotation through the API.")
    # Consent
    redirect_uris: tuple[str, ...] = _key((), "Registered redirect URIs. None: any is accepted.")
    consent_error: str = _key("", "Show this error instead of the consent page.", "", *CONSENT_ERRORS)
    cancel_redirects: bool = _key(False, "Cancel on the consent page sends error=access_denied. Amazon does not.")
    # Selling Partner API
    region: str = _key("na", "The endpoint's region; marketplaces of the others are refused.", "na", "eu", "fe")
    missing_roles: tuple[str, ...] = _key((), "Paths that begin so are refused: the role is missing.")
    rate_limit: float | None = _key(None, "Requests per second for each operation and account; none when empty.")
    rate_burst: int = _key(10, "How many requests may come at once when rate_limit is set.")
    sandbox: bool = _key(False, "Answer as the static sandbox: fixed data, “Could not match input arguments”.")

    def merge(self, changes: Mapping[str, object]) -> Self:
        """A copy with `changes`. Raises ConfigurationError, and then nothing is changed."""
        known = {each.name: each for each in fields(self)}
        values: dict[str, object] = {}
        for name, value in changes.items():
            if name not in known:
                raise ConfigurationError(f"Unknown key {name!r}. Known keys: {', '.join(known)}.")
            values[name] = _checked(name, value, known[name].default, known[name].metadata["choices"])
        return replace(self, **values)  # type: ignore[arg-type]  # _checked gives each field its own type

    def values(self) -> dict[str, Any]:
        """Every key with its value, ready for JSON."""
        return {each.name: _plain(getattr(self, each.name)) for each in fields(self)}

    @classmethod
    def described(cls) -> list[tuple[str, Any, str, tuple[str, ...]]]:
        """(name, default, about, choices) of every key, in order."""
        return [(each.name, each.default, each.metadata["about"], each.metadata["choices"]) for each in fields(cls)]


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _checked(name: str, value: object, default: object, choices: tuple[str, ...]) -> object:
    if isinstance(default, bool):
        if isinstance(value, bool):
            return value
        raise ConfigurationError(f"{name} is true or false.")
    if isinstance(default, int):
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        raise ConfigurationError(f"{name} is a whole number, 0 or more.")
    if default is None:
        if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0):
            return value
        raise ConfigurationError(f"{name} is a number above 0, or null.")
    if isinstance(default, tuple):
        if isinstance(value, (list, tuple)) and all(isinstance(each, str) for each in value):
            return tuple(value)
        raise ConfigurationError(f"{name} is a list of texts.")
    if not isinstance(value, str):
        raise ConfigurationError(f"{name} is a text.")
    if choices and value.lower() not in {choice.lower() for choice in choices}:
        raise ConfigurationError(f"{name} is one of: {', '.join(choice or '(empty)' for choice in choices)}.")
    return next((choice for choice in choices if choice.lower() == value.lower()), value)
