"""How a request proves who asks, besides OAuth 2.0: Basic, Digest, WSSE, OAuth 1.0, JWT bearer, cookies.

Plain values in, a header or a `requests` auth out. Nothing here reads a setting or sends by itself.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote_plus, urlencode
from xml.sax.saxutils import escape

import jwt
import requests
import requests_oauthlib
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jwt.algorithms import HMACAlgorithm, RSAAlgorithm
from requests.auth import AuthBase, HTTPDigestAuth

from connections import outbound
from connections.outbound import OutboundError

JWT_LIFETIME = 3600  # seconds; for a payload that does not say
DIGESTS = frozenset({"MD5", "MD5-SESS", "SHA", "SHA-256", "SHA-512"})  # that requests can compute
FORM = "application/x-www-form-urlencoded"


class SigningError(Exception):
    """A request cannot be signed with what is stored. `code` is one of applications/state_errors.py."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def basic(username: str, password: str) -> str:
    """The Authorization header of RFC 7617, in UTF-8."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


class Digest(HTTPDigestAuth):
    """RFC 7616 and 2617 through requests, which reads only one challenge: the first that it can answer is picked for it.

    Costs a second request, since the challenge comes with the first answer.
    """

    def build_digest_header(self, method: str, url: str) -> str | None:
        # Of a URL with http in front requests would leave out a parameter behind a semicolon, which is sent all the same.
        return super().build_digest_header(method, f"x{url}")  # type: ignore[no-any-return, no-untyped-call]

    def handle_401(self, r: requests.Response, **kwargs: Any) -> requests.Response:
        challenge = r.headers["www-authenticate"] = pick_challenge(r.headers.get("www-authenticate", ""))
        if challenge and self._thread_local.num_401_calls < 2 and not r._content_consumed:  # type: ignore[attr-defined]
            # A stream, of any size. What it says is not needed, and requests would read it to its end.
            r.raw.close()
            r._content, r._content_consumed = b"", True  # type: ignore[attr-defined]
        return super().handle_401(r, **kwargs)  # type: ignore[no-any-return, no-untyped-call]


def pick_challenge(header: str) -> str:
    """The first Digest challenge of the header(s) that can be answered; "" where there is none."""
    for challenge in re.split(r",\s*(?=[A-Za-z][A-Za-z0-9-]*\s+[A-Za-z]+\s*=)", header):
        if not challenge.lower().startswith("digest "):
            continue
        algorithm = re.search(r'algorithm\s*=\s*"?([A-Za-z0-9-]+)', challenge, re.I)
        qop = re.search(r'qop\s*=\s*(?:"([^"]*)"|([a-z-]+))', challenge, re.I)
        if algorithm and algorithm[1].upper() not in DIGESTS:
            continue
        if qop and "auth" not in re.split(r"[\s,]+", (qop[1] or qop[2] or "").lower()):
            continue
        return challenge.replace(qop[0], 'qop="auth"') if qop else challenge
    return ""


def wsse(username: str, password: str, *, nonce: str, created: datetime) -> str:
    """A UsernameToken with PasswordDigest, as the WSSE of Atom has it: Base64(SHA-1(nonce + created + password)).

    The nonce goes into the digest as it stands in the header. `created` must be aware.
    """
    at = created.strftime("%Y-%m-%dT%H:%M:%SZ")
    digest = base64.b64encode(hashlib.sha1((nonce + at + password).encode()).digest()).decode()  # noqa: S324  as specified
    name = username.replace("\\", "\\\\").replace('"', '\\"')
    return f'UsernameToken Username="{name}", PasswordDigest="{digest}", Nonce="{nonce}", Created="{at}"'


class OAuth1(requests_oauthlib.OAuth1):
    """RFC 5849 through requests-oauthlib. Raises OutboundError for a URL or body that cannot be signed."""

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        try:
            return super().__call__(r)  # type: ignore[no-any-return, unused-ignore]
        except ValueError:  # its text quotes the query
            pass
        host = outbound.host_port(r.url or "")
        raise OutboundError("broken", host, "The URL or the form body holds characters that OAuth 1.0 cannot sign.")


def oauth1(
    *,
    signature_method: str,
    consumer_key: str,
    consumer_secret: str = "",
    private_key: str = "",
    token: str = "",
    token_secret: str = "",
    realm: str = "",
) -> OAuth1:
    """Signs one request in its Authorization header. `private_key` is a PEM text, for RSA methods."""
    if signature_method.startswith("RSA"):
        signing_key(private_key, signature_method)
    return OAuth1(
        consumer_key,
        client_secret=consumer_secret or None,
        resource_owner_key=token or None,
        resource_owner_secret=token_secret or None,
        signature_method=signature_method,
        rsa_key=private_key or None,
        realm=realm or None,
    )


class _Hmac(HMACAlgorithm):
    def check_key_length(self, key: bytes) -> None:
        """The secret's length is the provider's choice; a warning would reach nobody who can change it."""


class _Rsa(RSAAlgorithm):
    def check_key_length(self, key: Any) -> None:
        """As above."""


_jws = jwt.PyJWS()
for _bits in ("256", "384", "512"):
    for _name, _algorithm in (("HS", _Hmac), ("RS", _Rsa)):
        _jws.unregister_algorithm(_name + _bits)
        _jws.register_algorithm(_name + _bits, _algorithm(getattr(_algorithm, f"SHA{_bits}")))


def json_web_token(
    payload: Mapping[str, Any], *, algorithm: str, key: str, headers: Mapping[str, Any], now: float | None = None
) -> str:
    """A signed JSON web token (RFC 7519). `iat` and `exp` are added where the payload has none. Raises SigningError."""
    at = int(time.time() if now is None else now)
    claims = {"iat": at, "exp": at + JWT_LIFETIME} | dict(payload)
    usable = key if algorithm.startswith("HS") else signing_key(key, algorithm)
    try:
        text = json.dumps(claims, separators=(",", ":")).encode()
        return _jws.encode(text, usable, algorithm, headers=dict(headers))  # type: ignore[arg-type]
    except (jwt.PyJWTError, ValueError, TypeError):
        pass  # its text may quote the key
    raise SigningError("signing_key_unusable")


def signing_key(pem: str, algorithm: str) -> PrivateKeyTypes:
    """The private key in a PEM text. Raises SigningError where it is none, or of another kind than `algorithm` needs."""
    key = None
    with contextlib.suppress(ValueError, TypeError, UnsupportedAlgorithm):
        key = load_pem_private_key(pem.encode(), None)
    if key is None or key_kind(key) != needed_kind(algorithm):
        raise SigningError("signing_key_unusable")
    return key


def key_kind(key: object) -> str:
    """ "RSA", "EC P-256", "Ed25519", …; the class name of any other key."""
    curve = getattr(getattr(key, "curve", None), "name", "")
    named = {"secp256r1": "EC P-256", "secp384r1": "EC P-384", "secp521r1": "EC P-521"}
    if curve:
        return named.get(curve, f"EC {curve}")
    return type(key).__name__.strip("_").removesuffix("PrivateKey").removesuffix("PublicKey")


def needed_kind(algorithm: str) -> str:
    """What `key_kind` must say for a JWT algorithm or an OAuth 1.0 signature method."""
    return {"ES256": "EC P-256", "ES384": "EC P-384", "ES512": "EC P-521", "EdDSA": "Ed25519"}.get(algorithm, "RSA")


class CookieCatcher(AuthBase):
    """An auth that adds nothing and keeps the cookies that the answer sets (RFC 6265), read by the standard library."""

    def __init__(self) -> None:
        self.cookies = requests.cookies.RequestsCookieJar()

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        r.register_hook("response", self._keep)  # type: ignore[no-untyped-call]
        return r

    def _keep(self, response: requests.Response, **kwargs: Any) -> None:
        self.cookies = response.cookies

    @property
    def header(self) -> str:
        """What the Cookie header must say to send them all back; "" where none was set."""
        return "; ".join(f"{cookie.name}={cookie.value or ''}" for cookie in self.cookies)

    def seconds(self, now: float) -> int | None:
        """How long the longest-lived lasts; None where one lasts as long as its session, which nobody told."""
        ends = [cookie.expires for cookie in self.cookies]
        known = [end for end in ends if end is not None]
        return max(int(max(known) - now), 1) if ends and len(known) == len(ends) else None


def look(body: str, media_type: str) -> str:
    """The Content-Type of a body that a person typed: what it looks like, else what the media type says."""
    text = body.lstrip()
    if text[:1] in ("{", "["):
        return "application/json"
    if text[:1] == "<":
        return "application/xml"
    if media_type != "text" and re.match(r"[^\s=&]+=", text):
        return FORM
    usual = {"json": "application/json", "xml": "application/xml", "urlencoded": FORM}
    return usual.get(media_type, "text/plain; charset=utf-8")


def quoting(content_type: str) -> Callable[[str], str]:
    """How a value must be written inside a body of this type, so that it stays one value."""
    if "json" in content_type:
        return lambda text: json.dumps(text, ensure_ascii=False)[1:-1]
    if "xml" in content_type:
        return lambda text: escape(text, {'"': "&quot;", "'": "&apos;"})
    return quote_plus if FORM in content_type else str


def body_with(body: bytes, content_type: str, fields: Iterable[tuple[str, str]]) -> tuple[bytes, str]:
    """`body` with `fields` in it, and its Content-Type. An empty body becomes one.

    Raises SigningError for a body that is no list of fields: XML, plain text, a JSON array.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == FORM:
        return b"&".join(part for part in (body, urlencode(list(fields)).encode()) if part), content_type
    if kind == "multipart/form-data":
        return _multipart_with(body, content_type, fields)
    if kind.endswith("json"):
        try:
            parsed = json.loads(body or b"{}")
        except ValueError:
            parsed = None
        if isinstance(parsed, dict):
            return json.dumps(parsed | dict(fields)).encode(), content_type
    raise SigningError("body_takes_no_fields")


def _multipart_with(body: bytes, content_type: str, fields: Iterable[tuple[str, str]]) -> tuple[bytes, str]:
    found = re.search(r'boundary="?([^";]+)', content_type)
    boundary = found[1] if found else "gatehouse-" + hashlib.sha256(body).hexdigest()[:32]
    if body and not found:
        raise SigningError("body_takes_no_fields")
    parts = b""
    for name, value in fields:
        quoted = name.replace("\\", "\\\\").replace('"', "%22")
        parts += f'--{boundary}\r\nContent-Disposition: form-data; name="{quoted}"\r\n\r\n{value}\r\n'.encode()
    end = body or f"--{boundary}--\r\n".encode()
    return parts + end, content_type if found else f"multipart/form-data; boundary={boundary}"
