"""The addresses below /api/. Plain views stand before the operations of ninja."""

from django.urls import path, re_path

from connections.api import document
from connections.api.operations import VIEWS, token
from connections.api.proxy import connection_proxy

urlpatterns = [
    path("v1/connections/<str:id>/token", token, name="token"),
    # With a line break in it, too: `path` takes none.
    re_path(r"^v1/connections/(?P<id>[^/]+)/proxy(?s:/.*)?\Z", connection_proxy, name="connection_proxy"),
    path("v1/openapi.json", document.api_document, name="api_document"),
    path("v1/docs", document.api_docs, name="api_docs"),
    *VIEWS,
]
