"""Seal and open secrets: keyring, context, `Sealed` value.

A sealed text is `1.<key id>.<base64url token>`. The token is a Fernet token (version, time, IV, AES-256-CBC, HMAC-SHA256)
made by `django_cryptography`'s primitives. From one 32-byte key of the keyring two keys are derived (HKDF-SHA256,
RFC 5869): the cipher key per column and the MAC key per column *and row*, so a token copied to another row, column or table
does not open. Nothing here signs with SECRET_KEY and nothing is pickled.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Literal

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.core.signing import BadSignature
from django_cryptography.core.signing import FernetSigner
from django_cryptography.utils.crypto import FernetBytes, InvalidToken

DOTS = "••••••"
FORMAT = "1"
KEY_BYTES = 32


class SealError(Exception):
    """A sealed text cannot be opened.

    `reason` is `no_key` (the keyring is empty), `unknown_key` (sealed under a key that is not in the keyring) or `damaged`
    (altered, cut, or moved from another row or column). Its text never holds the sealed text or the secret.
    """

    def __init__(self, reason: Literal["no_key", "unknown_key", "damaged"]) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Context:
    """Where a secret lives: what its MAC is bound to."""

    table: str
    column: str
    row: str

    @property
    def place(self) -> str:
        return f"{self.table}.{self.column}"


@dataclass(frozen=True)
class Key:
    """One 32-byte key. `id` (8 hex digits) names it in what it sealed without telling anything of it."""

    secret: bytes = field(repr=False)

    @cached_property
    def id(self) -> str:
        return hashlib.sha256(b"gatehouse key id" + self.secret).hexdigest()[:8]

    def derive(self, use: str, info: str) -> bytes:
        """32 bytes for one use (RFC 5869)."""
        hkdf = HKDF(algorithm=hashes.SHA256(), length=32, salt=b"gatehouse sealing", info=f"{use}|{info}".encode())
        return hkdf.derive(self.secret)

    def fernet(self, context: Context) -> FernetBytes:
        return _fernet(self, context)


@lru_cache(maxsize=4096)
def _fernet(key: Key, context: Context) -> FernetBytes:
    """What seals and opens in one place. It is remembered: the same few tokens are opened again and again."""
    mac = FernetSigner(key.derive("mac", f"{context.place}|{context.row}"), "sha256")
    return FernetBytes(key.derive("cipher", context.place), mac)


class Keyring:
    """The first key seals, all open. Keys are base64 of 32 bytes; raises ValueError, naming the position, for any other."""

    def __init__(self, keys: Iterable[str]) -> None:
        self.keys = [self._read(number, text) for number, text in enumerate(keys, start=1)]

    @staticmethod
    def _read(number: int, text: str) -> Key:
        try:
            secret = base64.b64decode(text.strip().replace("-", "+").replace("_", "/"), validate=True)
        except (binascii.Error, ValueError):
            secret = b""
        if len(secret) != KEY_BYTES:
            raise ValueError(f"Key {number} of ENCRYPTION_KEYS is not base64 of {KEY_BYTES} bytes.")
        return Key(secret)

    def seal(self, text: str, context: Context) -> str:
        if not self.keys:
            raise SealError("no_key")
        key = self.keys[0]
        token = key.fernet(context).encrypt(text.encode())
        return f"{FORMAT}.{key.id}.{base64.urlsafe_b64encode(token).decode()}"

    def open(self, sealed: str, context: Context) -> str:
        """The secret in clear. Raises SealError."""
        if not self.keys:
            raise SealError("no_key")
        try:
            version, key_id, body = sealed.split(".", 2)
            token = base64.b64decode(body, altchars=b"-_", validate=True)
        except ValueError:
            raise SealError("damaged") from None
        if version != FORMAT:
            raise SealError("damaged")
        key = next((key for key in self.keys if key.id == key_id), None)
        if key is None:
            raise SealError("unknown_key")
        try:
            opened: bytes = key.fernet(context).decrypt(token)
        except (BadSignature, InvalidToken, ValueError):
            raise SealError("damaged") from None
        return opened.decode()

    def is_current(self, sealed: str) -> bool:
        """Whether the first key sealed it; if not, `rotate_keys` has work here."""
        return bool(self.keys) and sealed.startswith(f"{FORMAT}.{self.keys[0].id}.")


_keyring = Keyring([])


def configure(keys: Sequence[str]) -> None:
    """Set the keyring of this process. Raises ValueError for a key that is none."""
    global _keyring
    _keyring = Keyring(keys)


def keyring() -> Keyring:
    return _keyring


class Sealed(str):
    """A secret that shows as dots. `.reveal()` is the only way to its text.

    It is a `str` of six dots, so that `str()`, `format()`, JSON and templates all show the dots; its `repr` and its pickle
    are dots too. It holds either a text that is not stored yet or the sealed text of one place, opened only on `.reveal()`.
    """

    __slots__ = ("_context", "_text", "token")

    _text: str | None
    _context: Callable[[], Context] | None
    token: str | None

    def __new__(cls) -> Sealed:
        return super().__new__(cls, DOTS)

    @classmethod
    def of(cls, text: str) -> Sealed:
        """A secret just typed or received. Raises ValueError for the dots themselves: a mask is never saved back."""
        if not text or set(text) <= {"•", "*"}:
            raise ValueError("A mask or an empty text is not a secret.")
        sealed = cls()
        sealed._text, sealed._context, sealed.token = text, None, None
        return sealed

    @classmethod
    def stored(cls, token: str, context: Callable[[], Context]) -> Sealed:
        """A secret as the database holds it, to be opened in the place that `context` tells."""
        sealed = cls()
        sealed._text, sealed._context, sealed.token = None, context, token
        return sealed

    def reveal(self) -> str:
        """The secret in clear. Raises SealError where the keyring cannot open it."""
        if self._text is not None:
            return self._text
        if self.token is None or self._context is None:
            raise SealError("damaged")
        return keyring().open(self.token, self._context())

    reveal.alters_data = True  # type: ignore[attr-defined]  # Django: no template may call it

    @property
    def readable(self) -> bool:
        """Whether `reveal` would succeed; opens it and drops the text."""
        try:
            self.reveal()
        except SealError:
            return False
        return True

    def seal_for(self, context: Context) -> Sealed:
        """The same secret, sealed for one place. Raises SealError where it cannot be opened first."""
        if self.token is not None and self._context is not None and self._context() == context:
            return self
        return Sealed.stored(keyring().seal(self.reveal(), context), lambda: context)

    def __repr__(self) -> str:
        return DOTS

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return (str, (DOTS,))

    def __reduce_ex__(self, protocol: object) -> tuple[type[str], tuple[str]]:
        return self.__reduce__()

    def __copy__(self) -> Sealed:
        return self

    def __deepcopy__(self, memo: object) -> Sealed:
        return self

    def __eq__(self, other: object) -> bool:
        return self is other

    def __ne__(self, other: object) -> bool:
        return self is not other

    def __hash__(self) -> int:
        return id(self)
