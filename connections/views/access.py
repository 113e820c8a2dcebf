"""Who asks, for which team, and whether they may. A stranger gets 404; a member without the role gets 403."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.utils.functional import SimpleLazyObject
from django_htmx.middleware import HtmxDetails

from connections.models import Actor, Membership, Team, User

P = ParamSpec("P")


class Request(HttpRequest):
    """A request of somebody who is signed in and in a team."""

    user: User
    htmx: HtmxDetails
    membership: Membership
    team: Team
    actor: Actor


View = Callable[Concatenate[Request, P], HttpResponseBase]


class CurrentTeam:
    """Sets `request.membership`, `.team` and `.actor`, each None for somebody who is not signed in or in no team."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> HttpResponseBase:
        request.membership = SimpleLazyObject(lambda: _membership(request))
        request.team = SimpleLazyObject(lambda: request.membership.team if request.membership else None)
        request.actor = SimpleLazyObject(lambda: actor_for(request, request.membership) if request.membership else None)
        response = self.get_response(request)
        patch_vary_headers(response, ["HX-Request"])  # a page and its fragment share one address
        return response


def _membership(request: HttpRequest) -> Membership | None:
    if not request.user.is_authenticated:
        return None
    memberships = Membership.objects.select_related("team", "user").filter(
        user_id=request.user.pk, user__is_active=True
    )
    chosen = request.session.get("team")
    return (memberships.filter(team_id=chosen).first() if chosen else None) or memberships.order_by(
        "joined_at", "pk"
    ).first()


def actor_for(request: HttpRequest, membership: Membership) -> Actor:
    return Actor.member(
        membership, address=request.META.get("REMOTE_ADDR", "")[:45], user_agent=request.headers.get("User-Agent", "")
    )


def member(view: View[P]) -> View[P]:
    """Any member of a team."""
    return _allowed(lambda by: True, view)


def manager(view: View[P]) -> View[P]:
    """Who may create, edit, authorize, test and delete."""
    return _allowed(lambda by: by.may_manage, view)


def administrator(view: View[P]) -> View[P]:
    """Who may make and revoke API keys."""
    return _allowed(lambda by: by.may_administer, view)


def _allowed(may: Callable[[Actor], bool], view: View[P]) -> View[P]:
    @wraps(view)
    def guarded(request: Request, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not request.membership:
            raise PermissionDenied("You are signed in, but you belong to no team. Ask an owner to invite you.")
        if not may(request.actor):
            role = request.membership.level.label
            raise PermissionDenied(
                f"Your role in {request.team} is {role}. Ask an owner or administrator to do this, or to change your role."
            )
        return view(request, *args, **kwargs)

    return cast(View[P], guarded)
