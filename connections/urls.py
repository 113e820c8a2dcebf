"""Every address. One name for view, URL and template."""

from django.urls import include, path
from django.views.generic import RedirectView

from connections.views import (
    authorizations,
    clients,
    connection_tests,
    connections,
    copies,
    guides,
    health,
    recordings,
    revocations,
    setup,
    transfers,
)

urlpatterns = [
    path("api/", include("connections.api.urls")),  # first: it is asked for most
    path("", RedirectView.as_view(pattern_name="connections", query_string=False), name="home"),
    path("setup/<str:token>/", setup.setup, name="setup"),
    path("accounts/", include("allauth.urls")),
    path("connections/", connections.connections, name="connections"),
    path("connections/new/", connections.application_list, name="application_list"),
    path("connections/new/<slug:application>/", connections.connection_create, name="connection_create"),
    path(
        "connections/new/<slug:application>/fields/",
        connections.connection_create_fields,
        name="connection_create_fields",
    ),
    path(
        "connections/new/<slug:application>/client/",
        connections.connection_create_client,
        name="connection_create_client",
    ),
    path("connections/test/", connection_tests.connection_test_unsaved, name="connection_test_unsaved"),
    path("connections/<uuid:id>/", connections.connection_edit, name="connection_edit"),
    path("connections/<uuid:id>/fields/", connections.connection_edit_fields, name="connection_edit_fields"),
    path("connections/<uuid:id>/client/", connections.connection_edit_client, name="connection_edit_client"),
    path("connections/<uuid:id>/delete/", connections.connection_delete, name="connection_delete"),
    path("connections/<uuid:id>/revoke/", revocations.connection_revoke, name="connection_revoke"),
    path("connections/<uuid:id>/test/", connection_tests.connection_test, name="connection_test"),
    path("connections/<uuid:id>/debug/", recordings.connection_debug, name="connection_debug"),
    path(
        "connections/<uuid:id>/debug/download/", recordings.connection_debug_download, name="connection_debug_download"
    ),
    path("connections/<uuid:id>/authorize/", authorizations.connection_authorize, name="connection_authorize"),
    path(
        "connections/<uuid:id>/authorize/confirm/", authorizations.authorization_confirm, name="authorization_confirm"
    ),
    path("connections/<uuid:id>/authorize/cancel/", authorizations.authorization_cancel, name="authorization_cancel"),
    path("connections/<uuid:id>/used-by/", copies.connection_used_by, name="connection_used_by"),
    path("connections/<uuid:id>/clone/", copies.connection_clone, name="connection_clone"),
    path("connections/<uuid:id>/replace/", copies.connection_replace, name="connection_replace"),
    path("connections/<uuid:id>/export/", transfers.connection_export, name="connection_export"),
    path("connections/export/", transfers.connections_export, name="connections_export"),
    path("connections/import/", transfers.connections_import, name="connections_import"),
    path("connections/import/apply/", transfers.connections_import_apply, name="connections_import_apply"),
    path("guides/<slug:application>/", guides.guide, name="guide"),
    path("oauth/callback/", authorizations.oauth_callback, name="oauth_callback"),
    path("oauth/login/", authorizations.oauth_login, name="oauth_login"),
    path("clients/", clients.clients, name="clients"),
    path("clients/new/", clients.client_create, name="client_create"),
    path("clients/<uuid:id>/", clients.client_edit, name="client_edit"),
    path("clients/<uuid:id>/delete/", clients.client_delete, name="client_delete"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
]

handler400 = "connections.views.errors.bad_request"
handler403 = "connections.views.errors.permission_denied"
handler404 = "connections.views.errors.page_not_found"
handler500 = "connections.views.errors.server_error"
