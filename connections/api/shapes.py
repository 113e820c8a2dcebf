"""Shapes: what the API sends, field by field. Their docstrings and descriptions are the documentation."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from ninja import Schema
from pydantic import Field

from connections.actions.errors import from_json
from connections.models import Connection as Row
from connections.models import Grant
from connections.models.choices import AuthType, GrantType, MediaType, Status

ID = "0c7a2b9e-5d41-4f0e-9a53-6f1f6f1b2c10"
AT = "2026-03-01T12:00:00Z"


class Connection(Schema):
    """A saved connection. No secret is ever part of it."""

    id: UUID = Field(examples=[ID])
    name: str = Field(examples=["Purchase orders"])
    application: str = Field(description="What it was created as.", examples=["amazon-vendor-central"])
    base_uri: str = Field(examples=["https://sellingpartnerapi-na.amazon.com"])
    media_type: MediaType = Field(description="What requests and answers are written in.")
    auth_type: AuthType
    grant_type: GrantType | None = Field(description="Of OAuth 2.0; null for any other authentication type.")
    status: Status = Field(
        description="draft: not authorized yet; online: it worked; offline: `status_reason` says why."
    )
    status_reason: str | None = Field(description="What went wrong last, in one sentence.", examples=[None])
    authorized_at: datetime | None = Field(description="When somebody last authorized it.", examples=[AT])
    expires_at: datetime | None = Field(
        description="When the access token ends. It is renewed by itself.", examples=[AT]
    )
    updated_at: datetime = Field(description="When somebody last changed its settings.", examples=[AT])
    last_used_at: datetime | None = Field(description="By an integration; a few seconds behind.", examples=[AT])


class ConnectionList(Schema):
    """One page of connections, in the order of their names."""

    items: list[Connection]
    next: str | None = Field(
        description="What to send as `cursor` for the next page; null on the last one.", examples=[None]
    )


class Send(Schema):
    """Where the provider wants the token in a request."""

    in_: Literal["header", "query", "body"] = Field(alias="in", examples=["header"])
    name: str = Field(description="Of the header, URL parameter or body field.", examples=["x-amz-access-token"])
    prefix: str = Field(description="Goes before the token, with a blank between them; often empty.", examples=[""])


class Token(Schema):
    """An access token that is good for at least `min_valid` seconds, and how to send it."""

    access_token: str = Field(examples=["Atza|…"])
    token_type: str = Field(description="As the provider named it.", examples=["bearer"])
    expires_at: datetime = Field(examples=[AT])
    expires_in: int = Field(ge=0, description="Seconds.", examples=[3540])
    base_uri: str = Field(
        description="Send it there and nowhere else.", examples=["https://sellingpartnerapi-na.amazon.com"]
    )
    send: Send


class Step(Schema):
    """One step of a test."""

    name: str = Field(description="address, tls, client, token or call.", examples=["token"])
    ok: bool | None = Field(description="null: not tried, or it does not apply.", examples=[True])
    ms: int | None = Field(description="Milliseconds; null where nothing was sent.", examples=[84])
    detail: str = Field(description="What happened.", examples=["Good until 13:00:00 UTC."])
    hint: str = Field(description="What to do about it.", examples=[""])


class TestResult(Schema):
    """What came of a test. A test that fails is an answer as well: its status is 200."""

    __test__ = False  # the name means something else to pytest

    ok: bool
    steps: list[Step]


class FieldError(Schema):
    field: str = Field(examples=["query.min_valid"])
    message: str = Field(examples=["Input should be less than or equal to 3600"])


class Problem(Schema):
    """A failure (RFC 9457). Programs look at `code`."""

    type: str = Field(description="The address where the code is described.")
    title: str = Field(description="The same for every failure of this code.")
    status: int = Field(description="The HTTP status again.")
    detail: str = Field(description="What happened this time.")
    code: str
    hint: str = Field(description="What to do about it, and on which page.")
    reason: str | None = Field(None, description="More exactly than `code`, where a token could not be had.")
    provider_status: int | None = Field(None, description="The HTTP status of the provider’s own answer.")
    provider_error: str | None = Field(None, description="Its `error`.")
    provider_error_description: str | None = Field(None, description="Its `error_description`.")
    provider_request_id: str | None = Field(None, description="What to name when you ask the provider.")
    errors: list[FieldError] | None = Field(None, description="For invalid_request: each field that does not fit.")


def connection(row: Row, grant: Grant | None) -> dict[str, Any]:
    """A stored connection in the shape of `Connection`."""
    return {
        "id": row.pk,
        "name": row.name,
        "application": row.application,
        "base_uri": row.base_uri,
        "media_type": row.media_type,
        "auth_type": row.auth_type,
        "grant_type": row.grant_type if row.auth_type == AuthType.OAUTH2 and row.grant_type else None,
        "status": row.status,
        "status_reason": row.provider.explain(from_json(row.failure)).title if row.failure else None,
        "authorized_at": grant.authorized_at if grant else None,
        "expires_at": grant.expires_at if grant else None,
        "updated_at": row.updated_at,
        "last_used_at": row.last_used_at,
    }
