"""The failures that the control page offers as buttons. Each is nothing but a body for one of the control routes."""

import json
from dataclasses import dataclass
from typing import Any, Final

from connections.simulator.configuration import CONSENT_ERRORS, Configuration

_TOKEN: Final = "/auth/o2/token"
_API: Final = "/vendor/*"


@dataclass(frozen=True)
class Preset:
    """One button: its words, the control route it posts to, and the body."""

    label: str
    about: str
    route: str
    body: dict[str, Any]

    def is_on(self, configuration: Configuration) -> bool:
        """Whether the configuration is already so; pressing the button then takes it back."""
        if self.route != "config":
            return False
        values = configuration.values()
        return all(values[name] == value for name, value in self.body.items())

    def post(self, configuration: Configuration) -> str:
        """The JSON that the button sends."""
        if not self.is_on(configuration):
            return json.dumps(self.body)
        defaults = Configuration().values()
        return json.dumps({name: defaults[name] for name in self.body})


def _fault(label: str, about: str, path: str, **values: Any) -> Preset:
    return Preset(label, about, "faults", {"path": path, **values})


def _config(label: str, about: str, **values: Any) -> Preset:
    return Preset(label, about, "config", values)


GROUPS: Final[tuple[tuple[str, tuple[Preset, ...]], ...]] = (
    (
        "Token endpoint",
        (
            _fault(
                "Unavailable twice", "503 temporarily_unavailable, the next two times.", _TOKEN, status=503, times=2
            ),
            _fault("Server error", "500 ServerError, once.", _TOKEN, status=500),
            _fault("Throttled", "429 with Retry-After: 5, once.", _TOKEN, status=429, headers={"Retry-After": "5"}),
            _fault("Client rejected", "401 invalid_client, once.", _TOKEN, status=401),
            _fault("Slow", "The usual answer, 5 seconds late, once.", _TOKEN, delay_ms=5000),
            _fault(
                "A web page",
                "502 and HTML, as a proxy sends it, once.",
                _TOKEN,
                status=502,
                body="<h1>Bad gateway</h1>",
            ),
            _config("Short tokens", "Access tokens live 60 seconds.", access_token_ttl=60),
            _config("New refresh token each time", "The one before stops working.", rotate_refresh_tokens=True),
            _config("No refresh token", "Left out of every answer.", omit_refresh_token=True),
            _config("No expires_in", "Left out of every answer.", omit_expires_in=True),
            _config("expires_in as text", "A number in quotes.", expires_in_as_text=True),
            _config(
                "Secret changed", "The documented client secret is wrong: 401 invalid_client.", client_secret="changed"
            ),
        ),
    ),
    (
        "Consent page",
        (
            *(_config(code, about, consent_error=code) for code, about in CONSENT_ERRORS.items()),
            _config("Cancel sends back", "With error=access_denied. Amazon does not.", cancel_redirects=True),
        ),
    ),
    (
        "Selling Partner API",
        (
            _fault("Throttled", "429 QuotaExceeded, once.", _API, status=429),
            _fault("Internal failure", "500 InternalFailure, once.", _API, status=500),
            _fault("Bad input", "400 InvalidInput, once.", _API, status=400),
            _fault("Slow", "The usual answer, 5 seconds late, once.", _API, delay_ms=5000),
            _config("Tokens end at once", "403 “has expired” with every token from now on.", access_token_ttl=0),
            _config("Client secret expired", "403 “The LWA secret token … has expired.”", client_secret_expired=True),
            _config(
                "Orders role missing", "403 with empty details on vendor orders.", missing_roles=["/vendor/orders/"]
            ),
            _config("Another region", "Marketplaces of North America are refused.", region="eu"),
            _config("One request per second", "429 beyond one at once.", rate_limit=1, rate_burst=1),
            _config("Static sandbox", "Fixed data; “Could not match input arguments”.", sandbox=True),
            _config("Not enrolled for rotation", "400 when the client secret is rotated.", rotation_enrolled=False),
        ),
    ),
    (
        "Revocation",
        (
            Preset(
                "Revoke every grant", "invalid_grant and 403 from now on, as after Disable authorization.", "revoke", {}
            ),
        ),
    ),
)
