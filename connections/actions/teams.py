"""Teams and their first owner."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.core import signing
from django.db import IntegrityError, transaction

from connections.actions import events
from connections.actions.errors import ActionError
from connections.models import Actor, Membership, Role, Team, User

SETUP = "gatehouse.setup"
FIRST_TEAM = uuid.uuid5(uuid.NAMESPACE_URL, "gatehouse:first-team")


def setup_token() -> str:
    """For the setup link. It works for a week, and only while nobody has set up Gatehouse."""
    return signing.dumps("setup", salt=SETUP)


def check_setup_token(token: str) -> None:
    """Raises ActionError for a token that is not ours or too old."""
    try:
        signing.loads(token, salt=SETUP, max_age=settings.SETUP_LINK_SECONDS)
    except signing.BadSignature:
        text = "It is incomplete or too old. manage.py setup_link, or a restart, prints a new one."
        raise ActionError(text) from None


def setup_link() -> str:
    return f"{settings.PUBLIC_URL}/setup/{setup_token()}/"


def is_set_up() -> bool:
    """Whether anybody can sign in at all."""
    return User.objects.exists()


@transaction.atomic
def set_up(*, email: str, password: str, team_name: str, address: str = "", user_agent: str = "") -> Membership:
    """The first user and the first team. Raises ActionError where somebody was first."""
    already = ActionError("Gatehouse is already set up. Sign in instead.")
    if is_set_up():
        raise already
    try:
        with transaction.atomic():
            # The first team's id is always the same: of two first starts at once the database lets one through.
            team = Team.objects.create(id=FIRST_TEAM, name=team_name)
    except IntegrityError:
        team = Team.objects.select_for_update().get(id=FIRST_TEAM)  # waits for whoever is setting up right now
        if is_set_up():
            raise already from None
    return _add_owner(team=team, email=email, password=password, address=address, user_agent=user_agent)


@transaction.atomic
def create_owner(*, email: str, password: str | None, team_name: str) -> Membership:
    """An owner of the team of that name; the team is made if it is new. Raises ActionError for an email that is taken."""
    team = Team.objects.filter(name=team_name).order_by("created_at").first() or Team.objects.create(name=team_name)
    return _add_owner(team=team, email=email, password=password)


def _add_owner(*, team: Team, email: str, password: str | None, address: str = "", user_agent: str = "") -> Membership:
    if User.objects.filter(email__iexact=email).exists():
        raise ActionError("This email is taken.")
    user = User.objects.create_user(email, password)
    membership = Membership.objects.create(team=team, user=user, role=Role.OWNER)
    by = Actor.member(membership, address=address, user_agent=user_agent)
    events.record(by=by, action="team.join", about=team, member=user.email, role=membership.role)
    return membership
