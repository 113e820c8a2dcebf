"""The pane as its tests see it: what a browser posts for each authentication type, and the form that judges it."""

from typing import Any

from django.http import QueryDict

from connections import applications
from connections.forms.connections import ConnectionForm
from connections.models import Actor, Connection

HTTP = applications.available()["http"]
AMAZON = applications.available()["amazon-vendor-central"]

BASE = {
    "name": "Stock room", "base_uri": "https://api.example.com", "media_type": "json", "ping_method": "GET",
    "token_location": "header", "token_header": "Authorization", "token_scheme": "Bearer", "concurrency": "25",
}  # fmt: skip
TYPES: dict[str, dict[str, str]] = {
    "basic": {"username": "ann", "password": "pw"},
    "digest": {"username": "ann", "password": "pw"},
    "wsse": {"username": "ann", "password": "pw", "wsse_header": "X-WSSE"},
    "token": {"token": "t0ken"},
    "cookie": {"cookie_method": "POST", "cookie_url": "https://api.example.com/login"},
    "oauth1": {
        "oauth1_signature_method": "HMAC-SHA256", "oauth1_consumer_key": "key", "oauth1_consumer_secret": "secret",
    },
    "jwt": {"jwt_algorithm": "HS256", "jwt_secret": "secret", "jwt_payload": '{"iss": "me"}'},
    "custom": {},
    "none": {},
}  # fmt: skip


def post(auth_type: str, **changed: Any) -> QueryDict:
    """What the pane posts; a list of pairs becomes rows."""
    data = QueryDict(mutable=True)
    for name, value in (BASE | {"auth_type": auth_type} | TYPES.get(auth_type, {}) | changed).items():
        if isinstance(value, list):
            data.setlist(f"{name}_name", [row[0] for row in value])
            data.setlist(f"{name}_value", [row[1] for row in value])
        elif value is not None:
            data[name] = value
    return data


def form(by: Actor, data: QueryDict, *, instance: Connection | None = None, application: Any = HTTP) -> ConnectionForm:
    instance = instance or Connection(team=by.team, application=application.slug)
    return ConnectionForm(data, by=by, application=application, instance=instance)


def shown(by: Actor, *, application: Any = HTTP, **values: str) -> ConnectionForm:
    """A new pane with these values in it."""
    first = ConnectionForm.first_values(application, values)
    instance = Connection(team=by.team, application=application.slug)
    return ConnectionForm(by=by, application=application, instance=instance, initial=first)
