"""The addresses below /api/. Plain views stand before the operations of ninja."""

from django.urls import path

from connections.api import document
from connections.api.operations import VIEWS, token

urlpatterns = [
    path("v1/connections/<str:id>/token", token, name="token"),
    path("v1/openapi.json", document.api_document, name="api_document"),
    path("v1/docs", document.api_docs, name="api_docs"),
    *VIEWS,
]
