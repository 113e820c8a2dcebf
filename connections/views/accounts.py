"""How django-allauth behaves here: nobody signs up by themselves, and every sign-in is in the audit trail."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.http import HttpRequest

from connections.actions import events
from connections.models import Actor, Membership, User


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False


@receiver(user_logged_in)
def record_sign_in(request: HttpRequest, user: User, **kwargs: Any) -> None:
    for membership in Membership.objects.select_related("team", "user").filter(user=user):
        by = Actor.member(
            membership,
            address=request.META.get("REMOTE_ADDR", "")[:45],
            user_agent=request.headers.get("User-Agent", ""),
        )
        events.record(by=by, action="user.sign_in", about=user)
