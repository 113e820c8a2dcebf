"""Access tokens that carry their own facts, so that issuing a million of them costs no memory.

A token is `Atza|` and an opaque text of more than 350 characters. Inside: who it is for and when it ends, signed with a
key that is new after every start and every reset; a token from before is therefore unknown, as it should be.
"""

import base64
import hmac
import json
import secrets
import string
from dataclasses import asdict, dataclass
from typing import Final

ACCESS_PREFIX: Final = "Atza|"
REFRESH_PREFIX: Final = "Atzr|"
RESTRICTED_PREFIX: Final = "Atz.sprdt|"
_LETTERS: Final = string.ascii_letters + string.digits
_SIGNATURE_BYTES: Final = 32
_PAYLOAD_BYTES: Final = 228  # with the signature 260 bytes: 347 characters after the prefix, 352 in all


@dataclass(frozen=True)
class Claims:
    """What an access token stands for. `grant_id` is empty for a grantless token; `expires_at` is in epoch seconds."""

    client_id: str
    grant_id: str
    expires_at: float
    scope: str = ""


def random_text(length: int) -> str:
    """`length` random letters and digits."""
    return "".join(secrets.choice(_LETTERS) for _ in range(length))


def refresh_token() -> str:
    """A new refresh token: `Atzr|` and 350 characters."""
    return REFRESH_PREFIX + random_text(350)


class Mint:
    """Issues access tokens and reads back its own."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def issue(self, claims: Claims, prefix: str = ACCESS_PREFIX) -> str:
        """A token for `claims`, different every time."""
        payload = json.dumps({**asdict(claims), "nonce": secrets.token_hex(8)}, separators=(",", ":")).encode()
        payload = payload.ljust(_PAYLOAD_BYTES)
        return prefix + base64.urlsafe_b64encode(self._sign(prefix, payload) + payload).decode().rstrip("=")

    def read(self, token: str) -> Claims | None:
        """The claims of a token of this mint, expired or not; None for anything else."""
        prefix, bar, text = token.partition("|")
        try:
            sealed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except ValueError:
            return None
        signature, payload = sealed[:_SIGNATURE_BYTES], sealed[_SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._sign(prefix + bar, payload)):
            return None
        values = json.loads(payload)
        del values["nonce"]
        return Claims(**values)

    def _sign(self, prefix: str, payload: bytes) -> bytes:
        return hmac.digest(self._key, prefix.encode() + payload, "sha256")
