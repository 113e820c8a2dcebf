"""Every address. One name for view, URL and template."""

from django.urls import include, path
from django.views.generic import RedirectView

from connections.views import (
    api_keys,
    authorizations,
    clients,
    connection_tests,
    connections,
    copies,
    guides,
    health,
    histories,
