"""The floor: a Django view that reads one row and nothing else, served like Gatehouse. No middleware, no session, no template."""

from __future__ import annotations

import uuid

from django.http import HttpRequest, JsonResponse
from django.urls import path

from connections.models import Connection


def one_row(request: HttpRequest, id: uuid.UUID) -> JsonResponse:
    base_uri, status = Connection.objects.values_list("base_uri", "status").get(pk=id)
    return _answer({"base_uri": base_uri, "status": status})


def healthz(request: HttpRequest) -> JsonResponse:
    return _answer({})


def _answer(told: dict[str, str]) -> JsonResponse:
    response = JsonResponse(told)
    response["Content-Length"] = str(len(response.content))  # Django leaves that to a middleware
    return response


urlpatterns = [path("healthz", healthz), path("<uuid:id>", one_row)]
