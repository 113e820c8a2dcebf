"""The calls to a token endpoint, and what they carry: planted in each request, and looked for in all that comes out."""

from collections.abc import Callable
from typing import Any

import pytest

from connections.oauth.endpoint import TokenEndpoint
from connections.oauth.errors import OAuthError
from connections.oauth.exchange import client_credentials, exchange_code
from connections.oauth.refresh import refresh
from connections.oauth.revoke import revoke

SECRET = "amzn-s3cret|Value/+ä"
CODE = "the-c0de|x"
OLD = "Atzr|old+refresh"
BACK = "https://gatehouse.example/oauth/callback/"

Make = Callable[..., TokenEndpoint]
ASKS: list[Any] = [
    pytest.param(lambda e: exchange_code(e, code=CODE, redirect_uri=BACK, verifier="v" * 43), id="code"),
    pytest.param(lambda e: refresh(e, refresh_token=OLD), id="refresh"),
    pytest.param(lambda e: client_credentials(e, scope="a::b"), id="client"),
    pytest.param(lambda e: revoke(e, token=OLD), id="revoke"),
]


def failing(ask: Callable[[], object]) -> OAuthError:
    with pytest.raises(OAuthError) as caught:
        ask()
    return caught.value
