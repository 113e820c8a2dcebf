"""What is stored. One module a noun; import from here."""

from connections.models.alerts import Alert, AlertKind, Delivery, Webhook
from connections.models.api_keys import ApiKey, Scope
from connections.models.attempts import AuthorizationAttempt
from connections.models.circuits import Circuit
from connections.models.clients import OAuthClient
from connections.models.connections import Connection
from connections.models.events import Actor, Event
from connections.models.grants import Grant
from connections.models.invitations import Invitation
from connections.models.recordings import DebugPeriod, Recording
from connections.models.slots import Slot, Turn
from connections.models.teams import Membership, Role, Team
from connections.models.usage import Tally, Usage, UsageKind
from connections.models.users import User

__all__ = [
    "Actor",
    "Alert",
    "AlertKind",
    "ApiKey",
    "AuthorizationAttempt",
    "Circuit",
    "Connection",
    "DebugPeriod",
    "Delivery",
    "Event",
    "Grant",
    "Invitation",
    "Membership",
    "OAuthClient",
    "Recording",
    "Role",
    "Scope",
    "Slot",
    "Tally",
    "Team",
    "Turn",
    "Usage",
    "UsageKind",
    "User",
    "Webhook",
]
