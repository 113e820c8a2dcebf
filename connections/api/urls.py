"""The addresses below /api/. Plain views that are no operations of ninja's stand before those."""

from django.urls import path, re_path

from connections.api.operations import api
from connections.api.proxy import connection_proxy

urlpatterns = [
    re_path(r"^v1/connections/(?P<id>[^/]+)/proxy(?s:/.*)?\Z", connection_proxy, name="connection_proxy"),
    path("v1/", api.urls),
]
