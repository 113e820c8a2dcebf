"""What the pane's fields must say together. Each check adds its sentence to the field where it can be put right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms

from connections import outbound
from connections.actions import connections
from connections.actions.connections import BOUND
from connections.forms import pem
from connections.models import Connection
from connections.oauth import paths, placeholders
from connections.outbound import OutboundError
from connections.sealing import Sealed, SealError

if TYPE_CHECKING:
    from connections.forms.connections import ConnectionForm

Cleaned = dict[str, Any]
ADDRESSES = (
    "base_uri",
    "token_url",
    "revoke_url",
    "token_refresh_url",
    "cookie_url",
)  # those that connections.secret_places looks at


def check(form: ConnectionForm, cleaned: Cleaned) -> None:
    for one in (
        _headers, _authorization_params, _secret_hosts, _custom_fields, _placeholders, _username, _body_fields, _jwt_key,
        _oauth1_key, _tls, _bound_secrets, _paths,
    ):  # fmt: skip
        one(form, cleaned)


def is_moved(form: ConnectionForm, cleaned: Cleaned) -> bool:
    """Whether an address now leads to another host than the stored secrets are bound to."""
    if form.instance._state.adding or any(name in form.errors for name in (*ADDRESSES, "auth_type")):
        return False
    now = Connection(**{name: cleaned.get(name, getattr(form.instance, name)) for name in (*ADDRESSES, "auth_type")})
    return connections.secret_places(now) != form.secret_places


def _bound_secrets(form: ConnectionForm, cleaned: Cleaned) -> None:
    """Stored secrets stay with their host: neither saving nor testing sends one to another."""
    if not is_moved(form, cleaned):
        return
    text = "An address leads to another host than before. Enter this again, so that it goes nowhere unasked."
    for name in BOUND:
        if name in form.fields and name != "encrypted_fields" and form.is_stored(name) and not cleaned.get(name):
            form.add_error(name, text)
    if any(not value for _, value in cleaned.get("encrypted_fields") or []) and form.is_stored("encrypted_fields"):
        form.add_error("encrypted_fields", text)


def _headers(form: ConnectionForm, cleaned: Cleaned) -> None:
    ours = {cleaned.get("token_header"): "the token", cleaned.get("wsse_header"): "the WSSE token"}
    ours |= {name: "it from Authentication headers" for name, _ in cleaned.get("custom_headers") or []}
    taken = {name.lower(): f"Gatehouse sends {what} in {name}." for name, what in ours.items() if name}
    for name, _ in cleaned.get("headers") or []:
        if name.lower() in taken:
            form.add_error("headers", f"{taken[name.lower()]} Leave it out here.")


OURS = {
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
    "application_id",
}


def _authorization_params(form: ConnectionForm, cleaned: Cleaned) -> None:
    """A blank value leaves a parameter out; a value in place of ours would not be sent, so it is refused."""
    for name, text in cleaned.get("authorization_params") or []:
        if text and name in OURS:
            form.add_error(
                "authorization_params", f"Gatehouse sends {name} itself. Leave its value blank to leave it out."
            )


def _secret_hosts(form: ConnectionForm, cleaned: Cleaned) -> None:
    client = cleaned.get("oauth_client")
    for field in ("token_url", "revoke_url"):
        if not client or not cleaned.get(field):
            continue
        try:
            host = outbound.host_port(cleaned[field])
        except OutboundError as error:
            form.add_error(field, error.detail)
            continue
        if client.secret_hosts and host not in client.secret_hosts:
            hosts = ", ".join(client.secret_hosts)
            form.add_error(
                field,
                f"The secret of {client.name} may go only to {hosts}. To send it to {host}, add that host with the pencil; "
                "that needs the secret again.",
            )


def _custom_fields(form: ConnectionForm, cleaned: Cleaned) -> None:
    """An encrypted field needs a value where none is stored; a name stands for one field."""
    stored = set(form.instance.encrypted_field_names) if form.is_stored("encrypted_fields") else set()
    for name, text in cleaned.get("encrypted_fields") or []:
        if not text and name not in stored:
            form.add_error("encrypted_fields", f"Enter a value for {name}.")
    for field in ("encrypted_fields", "fields"):
        names = [name for name, _ in cleaned.get(field) or []]
        for name in sorted({name for name in names if names.count(name) > 1}):
            form.add_error(field, f"{name} is there twice.")


def _placeholders(form: ConnectionForm, cleaned: Cleaned) -> None:
    """A template names only custom fields that there are."""
    for kind, field, called in (("encrypted.", "encrypted_fields", "encrypted"), ("field.", "fields", "unencrypted")):
        if field not in cleaned:
            continue
        known = {f"{kind}{name}" for name, _ in cleaned[field]}
        for name, template_field in form.fields.items():
            if not getattr(template_field, "placeholders", None):
                continue
            value = cleaned.get(name) or ""
            templates = [value] if isinstance(value, str) else [text for _, text in value]
            used = {found for text in templates for found in placeholders.names(text) if found.startswith(kind)}
            for missing in sorted(used - known):
                text = f"There is no {called} custom field {missing.removeprefix(kind)}. Add it under Advanced."
                form.add_error(name, text)


def _username(form: ConnectionForm, cleaned: Cleaned) -> None:
    username, auth_type = cleaned.get("username") or "", cleaned.get("auth_type")
    if auth_type == "basic" and ":" in username:
        form.add_error("username", "Basic cannot send a username with a colon in it (RFC 7617).")
    if auth_type in ("digest", "wsse") and not username.isascii():
        form.add_error("username", "This authentication type can send plain ASCII usernames only.")


def _body_fields(form: ConnectionForm, cleaned: Cleaned) -> None:
    if cleaned.get("media_type") not in ("xml", "text"):
        return
    text = "Only JSON, URL encoded and multipart bodies have fields. Choose another Media type, or send it otherwise."
    if cleaned.get("token_location") == "body":
        form.add_error("token_location", text)
    if cleaned.get("custom_body"):
        form.add_error("custom_body", text)


def _jwt_key(form: ConnectionForm, cleaned: Cleaned) -> None:
    if "-----BEGIN" in (cleaned.get("jwt_secret") or ""):
        form.add_error("jwt_secret", "This is a key or certificate. Choose an algorithm that signs with a private key.")
    _key(form, cleaned, "jwt_private_key", "jwt_algorithm")


def _oauth1_key(form: ConnectionForm, cleaned: Cleaned) -> None:
    _key(form, cleaned, "oauth1_private_key", "oauth1_signature_method")


def _key(form: ConnectionForm, cleaned: Cleaned, field: str, algorithm_field: str) -> None:
    """Told at the key where one was typed, else at the algorithm that does not fit the stored one."""
    algorithm = cleaned.get(algorithm_field)
    if field not in form.fields or field in form.errors or not algorithm:
        return
    typed = cleaned.get(field) or ""
    text = typed or _stored(form, field)  # only to see what kind of key it is
    try:
        misfit = pem.misfit(pem.load_key(text), algorithm) if text else ""
    except forms.ValidationError:
        return  # the field has said so; what is stored was good when it was typed
    if misfit:
        form.add_error(field if typed else algorithm_field, misfit if typed else f"{misfit} Enter another key below.")


def _tls(form: ConnectionForm, cleaned: Cleaned) -> None:
    certificate, key = cleaned.get("tls_certificate"), cleaned.get("tls_key")
    if {"tls_certificate", "tls_key", "tls_passphrase"} & set(form.errors):
        return
    if not certificate:
        if key:
            form.add_error("tls_certificate", "A key needs its certificate.")
        return
    # Only to see whether the three fit; none of it leaves this process.
    text = key or _stored(form, "tls_key")
    passphrase = cleaned.get("tls_passphrase") or ("" if key else _stored(form, "tls_passphrase"))
    if not text:
        form.add_error("tls_key", "A certificate needs its key.")
        return
    try:
        opened = pem.load_key(text, passphrase)
    except forms.ValidationError as error:
        form.add_error("tls_passphrase" if error.code == "passphrase" else "tls_key", error.messages[0])
        return
    if not pem.fits(certificate, opened):
        form.add_error("tls_key" if key else "tls_certificate", "The certificate is not of this key.")


def _stored(form: ConnectionForm, name: str) -> str:
    sealed: Sealed | None = getattr(form.instance, name)
    try:
        return sealed.reveal() if sealed is not None else ""  # each caller says what for
    except SealError:
        return ""


PATHS = ("auth_fail_path", "rate_fail_path", "ping_success_path", "ping_fail_path", "ping_error_path")


def _paths(form: ConnectionForm, cleaned: Cleaned) -> None:
    """A path that can be read in neither a success nor an error answer is told where it was typed."""
    access = cleaned.get("access_token_path") or ""
    if access and (access == cleaned.get("refresh_token_path") or access.split(".")[-1] == "refresh_token"):
        # Calls and integrations would be given the refresh token.
        form.add_error("access_token_path", "The refresh token is there. Give the path to the access token.")
    usual = cleaned.get("media_type") or "json"
    kinds = {cleaned.get("success_media_type") or usual, cleaned.get("error_media_type") or usual}
    kinds = {"json" if kind in ("form-data", "urlencoded") else kind for kind in kinds}
    for name in PATHS:
        if text := cleaned.get(name):
            sentences = [paths.problem(text, kind) for kind in sorted(kinds)]
            if all(sentences):
                form.add_error(name, sentences[0])
