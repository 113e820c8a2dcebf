"""Connection guides: a page for each application, with the addresses of this server in it."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from connections.actions.authorizations import redirect_uri
from connections.actions.connection_tests import TITLES
from connections.applications import CONSENT_ERRORS
from connections.views import pane
from connections.views.access import Request, member


@member
@require_safe
def guide(request: Request, application: str) -> HttpResponse:
    known = pane.application_or_404(application)
    context = {
        "application": known,
        "redirect_uri": redirect_uri(),
        "login_uri": f"{settings.PUBLIC_URL}{reverse('oauth_login')}",
        "is_https": settings.IS_HTTPS,
        "consent_errors": CONSENT_ERRORS.items(),
        "steps": TITLES,
        "may_manage": request.actor.may_manage,
    }
    return render(request, f"guides/{known.slug}.html", context)
