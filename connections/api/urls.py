"""The addresses below /api/. Plain views that are no operations of ninja's stand before those."""

from django.urls import path

from connections.api.operations import api

urlpatterns = [
    path("v1/", api.urls),
]
