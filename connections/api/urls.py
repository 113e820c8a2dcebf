"""The addresses below /api/. Plain views stand before the operations of ninja."""

from django.urls import path, register_converter
from django.urls.converters import StringConverter

from connections.api import document
from connections.api.operations import VIEWS, token
from connections.api.proxy import connection_proxy


class Anything(StringConverter):
    """`path` takes no line break, which a provider's path may have as %0A."""

    regex = r"[\s\S]*"


register_converter(Anything, "anything")

urlpatterns = [
    path("v1/connections/<str:id>/token", token, name="token"),
    path("v1/connections/<str:id>/proxy", connection_proxy, name="connection_proxy"),
    path("v1/connections/<str:id>/proxy/<anything:path>", connection_proxy, name="connection_proxy"),
    path("v1/openapi.json", document.api_document, name="api_document"),
    path("v1/docs", document.api_docs, name="api_docs"),
    *VIEWS,
]
