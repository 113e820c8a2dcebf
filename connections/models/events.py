"""Events: who did what, when, from where. Append-only; each carries the hash of the one before it in its team."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, NoReturn

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

from connections.models.api_keys import ApiKey
from connections.models.teams import Membership, Role, Team
from connections.models.users import User


@dataclass(frozen=True)
class Actor:
    """Who acts: a member or an API key from an address, or the system itself. Every action takes one as `by`."""

    team: Team
    user: User | None = None
    role: Role | None = None
    address: str = ""
    user_agent: str = ""
    api_key: str = ""  # its name

    @classmethod
    def key(cls, key: ApiKey, *, address: str = "", user_agent: str = "") -> Actor:
        """An integration: it uses connections as somebody who may manage, and administers nothing."""
        return cls(key.team, None, Role.MANAGE, address, user_agent, key.name)

    @classmethod
    def member(cls, membership: Membership, *, address: str = "", user_agent: str = "") -> Actor:
        return cls(membership.team, membership.user, membership.level, address, user_agent)

    @property
    def label(self) -> str:
        if self.api_key:
            return f"API key {self.api_key}"
        return self.user.email if self.user else "Gatehouse"

    @property
    def may_manage(self) -> bool:
        return self.role is None or self.role.may_manage

    @property
    def may_administer(self) -> bool:
        return self.role is None or self.role.may_administer


class EventQuerySet(models.QuerySet["Event"]):
    """Events are only ever added, not even in bulk altered or removed."""

    def update(self, **kwargs: Any) -> NoReturn:
        raise TypeError("Events are only ever added.")

    def delete(self) -> NoReturn:
        raise TypeError("Events are only ever added.")


class Event(models.Model):
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="events")
    number = models.PositiveBigIntegerField()  # 1, 2, 3 … in each team, without a gap
    at = models.DateTimeField()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    actor = models.CharField(max_length=254)  # the email as it was then
    action = models.CharField(max_length=50)  # noun.verb, e.g. connection.update
    object_type = models.CharField(max_length=30, blank=True)
    object_id = models.CharField(max_length=36, blank=True)
    object_name = models.CharField(max_length=100, blank=True)
    address = models.CharField(max_length=45, blank=True)
    user_agent = models.CharField(max_length=300, blank=True)
    detail = models.JSONField(default=dict)  # {"changes": {field: [before, after]}, …}; never a secret
    previous_hash = models.CharField(max_length=64, blank=True)
    hash = models.CharField(max_length=64)

    objects = EventQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["team", "number"], name="event_number_unique")]
        indexes = [
            models.Index(fields=["team", "object_id", "-number"], name="event_by_object"),
            models.Index(fields=["team", "actor", "-number"], name="event_by_actor"),
            models.Index(fields=["team", "action", "-number"], name="event_by_action"),
            models.Index(fields=["team", "at"], name="event_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.action} by {self.actor}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            self._refuse()
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise TypeError("Events are only ever added.")

    def computed_hash(self) -> str:
        """SHA-256 over the hash before and everything told here, in hex."""
        told: dict[str, Any] = {
            name: getattr(self, name)
            for name in (
                "number",
                "actor",
                "action",
                "object_type",
                "object_id",
                "object_name",
                "address",
                "user_agent",
                "detail",
            )
        }
        told |= {"team": str(self.team_id), "at": self.at.isoformat()}
        text = json.dumps(told, sort_keys=True, separators=(",", ":"), cls=DjangoJSONEncoder)
        return hashlib.sha256((self.previous_hash + text).encode()).hexdigest()
