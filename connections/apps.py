"""The one Django app."""

from django.apps import AppConfig
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


class ConnectionsConfig(AppConfig):
    name = "connections"
    verbose_name = "Gatehouse"

    def ready(self) -> None:
        from connections import checks, outbound, sealing  # noqa: F401  checks register themselves
        from connections.actions import pauses

        try:
            sealing.configure(settings.ENCRYPTION_KEYS)
            outbound.configure(private_hosts_allowed=settings.PRIVATE_HOSTS_ALLOWED)
            outbound.on_waiting(pauses.let_go)
        except ValueError as error:
            raise ImproperlyConfigured(str(error)) from None
