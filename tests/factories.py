"""Things to test with. alice owns a team, bob manages in it, mona only watches, charlie is in another team."""

from __future__ import annotations

import itertools
from typing import Any

from connections.models import Actor, Connection, Grant, Membership, OAuthClient, Role, Team, User

PASSWORD = "correct horse battery staple"
CLIENT_ID = "amzn1.application-oa2-client.simulator"
CLIENT_SECRET = "amzn1.oa2-cs.v1.simulator"
APPLICATION_ID = "amzn1.sp.solution.simulator"
SENTINEL = "s3ntinel-secret-that-must-never-be-seen"

counter = itertools.count(1)


def team(name: str = "") -> Team:
    return Team.objects.create(name=name or f"Team {next(counter)}")


def membership(team: Team, role: Role = Role.OWNER, email: str = "") -> Membership:
    user = User.objects.create_user(email or f"person{next(counter)}@example.com", PASSWORD)
    return Membership.objects.create(team=team, user=user, role=role)


def actor(team: Team, role: Role = Role.OWNER) -> Actor:
    return Actor.member(membership(team, role), address="192.0.2.1", user_agent="tests")


def oauth_client(team: Team, **fields: Any) -> OAuthClient:
    defaults = {
        "name": f"Client {next(counter)}",
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "application_id": APPLICATION_ID,
    }
    return OAuthClient.objects.create(team=team, **defaults | fields)


def connection(team: Team, simulator_url: str = "", **fields: Any) -> Connection:
    """Of the simulator where its URL is given, else of Vendor Central."""
    base = simulator_url or "https://sellingpartnerapi-na.amazon.com"
    site = simulator_url or "https://vendorcentral.amazon.com"
    defaults = {
        "name": f"Connection {next(counter)}",
        "application": "amazon-simulator" if simulator_url else "amazon-vendor-central",
        "region": "na",
        "marketplace": "US",
        "base_uri": base,
        "auth_type": "oauth2",
        "grant_type": "authorization_code",
        "client_authentication": "client_secret_post",
        "authorization_url": f"{site}/apps/authorize/consent",
        "token_url": f"{simulator_url or 'https://api.amazon.com'}/auth/o2/token",
        "pkce": "off",
    }
    if "oauth_client" not in fields:
        defaults["oauth_client"] = oauth_client(team)
    return Connection.objects.create(team=team, **defaults | fields)


def grant(connection: Connection, **fields: Any) -> Grant:
    return Grant.objects.create(connection=connection, **fields)


def pane_values(connection: Connection, **changed: Any) -> dict[str, Any]:
    """What the pane of a connection posts."""
    names = (
        "name", "region", "marketplace", "base_uri", "media_type", "auth_type", "grant_type", "client_authentication",
        "authorization_url", "scope", "pkce", "token_url", "ping_method", "ping_path", "ping_body",
    )  # fmt: skip
    values = {name: getattr(connection, name) for name in names}
    values |= {
        "oauth_client": str(connection.oauth_client_id or ""),
        "version": str(connection.version),
        "id": str(connection.pk),
    }
    return values | changed
