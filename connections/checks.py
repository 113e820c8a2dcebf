"""What `manage.py check` says about a deployment, beyond Django's own checks."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register


@register(Tags.security, deploy=True)
def public_url_is_https(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    if settings.IS_HTTPS:
        return []
    return [
        Warning(
            "PUBLIC_URL is plain http: cookies travel in clear and Amazon refuses the redirect URL.",
            hint="Put a TLS proxy in front and set PUBLIC_URL to its https address.",
            id="connections.W001",
        )
    ]
