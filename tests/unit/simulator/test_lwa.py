"""The token endpoint answers as Amazon's does."""

import base64
import hashlib
import json

import pytest

from connections.simulator.registry import CLIENT_ID, OTHER_CLIENT_ID, OTHER_CLIENT_SECRET

from .walks import REDIRECT_URI, Amazon, answer_of

TOKEN = "/auth/o2/token"
VERIFIER = "a-verifier-of-more-than-forty-three-characters.~_"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")


def test_a_code_gives_tokens_as_amazon_shapes_them(amazon: Amazon) -> None:
    response = amazon.redeem(amazon.code(), redirect_uri=REDIRECT_URI)

    assert response.status_code == 200
    assert list(response.get_json()) == ["access_token", "refresh_token", "token_type", "expires_in"]
    tokens = response.get_json()
    assert tokens["access_token"].startswith("Atza|")
    assert tokens["refresh_token"].startswith("Atzr|")
    assert 350 <= len(tokens["access_token"]) <= 2048
    assert len(tokens["refresh_token"]) <= 2048
    assert (tokens["token_type"], tokens["expires_in"]) == ("bearer", 3600)
    assert response.headers["content-type"] == "application/json;charset=UTF-8"
    assert response.headers["cache-control"] == "no-cache, no-store, must-revalidate"
    assert response.headers["pragma"] == "no-cache"
    assert response.headers["x-amzn-requestid"]
    assert response.headers["x-amz-rid"]
    assert "x-amzn-errortype" not in response.headers


def test_a_code_works_once(amazon: Amazon) -> None:
    code = amazon.code()
    assert amazon.redeem(code).status_code == 200

    response = amazon.redeem(code)

    assert response.status_code == 400
    assert response.get_json()["error"] == "invalid_grant"
    assert response.get_json()["error_description"] == "The request has an invalid grant parameter : code"


def test_a_code_lives_five_minutes(amazon: Amazon) -> None:
    early, late = amazon.code(), amazon.code()

    amazon.clock.now += 299
    assert amazon.redeem(early).status_code == 200
    amazon.clock.now += 1
    assert amazon.redeem(late).get_json()["error"] == "invalid_grant"


def test_a_made_up_code_is_refused(amazon: Amazon) -> None:
    body = amazon.redeem("ANmadeup").get_json()

    assert body["error_description"] == "The request has an invalid grant parameter : code"
    assert body["error_index"]
    assert body["request_id"]


def test_a_code_belongs_to_its_client(amazon: Amazon) -> None:
    response = amazon.redeem(amazon.code(), client_id=OTHER_CLIENT_ID, client_secret=OTHER_CLIENT_SECRET)

    assert response.get_json()["error_description"] == "The request has an invalid grant parameter : code"


def test_a_code_belongs_to_its_redirect_uri_and_survives_a_wrong_one(amazon: Amazon) -> None:
    code = amazon.code()

    assert amazon.redeem(code, redirect_uri="https://other.example.com/").get_json()["error"] == "invalid_grant"
    assert amazon.redeem(code, redirect_uri=REDIRECT_URI).status_code == 200


def test_wrong_credentials_do_not_use_up_a_code(amazon: Amazon) -> None:
    code = amazon.code()

    assert amazon.redeem(code, client_secret="wrong").status_code == 401
    assert amazon.redeem(code).status_code == 200


def test_a_refresh_gives_another_access_token_and_the_same_refresh_token(amazon: Amazon) -> None:
    tokens = amazon.grant()

    first, second = (amazon.refresh(tokens["refresh_token"]).get_json() for _ in range(2))

    assert first["refresh_token"] == second["refresh_token"] == tokens["refresh_token"]
    assert len({tokens["access_token"], first["access_token"], second["access_token"]}) == 3


def test_several_grants_of_one_account_live_side_by_side(amazon: Amazon) -> None:
    first, second = amazon.grant(), amazon.grant()

    assert first["refresh_token"] != second["refresh_token"]
    assert amazon.refresh(first["refresh_token"]).status_code == 200
    assert amazon.refresh(second["refresh_token"]).status_code == 200


def test_rotation_replaces_the_refresh_token(amazon: Amazon) -> None:
    old = amazon.grant()["refresh_token"]
    amazon.configure(rotate_refresh_tokens=True)

    new = amazon.refresh(old).get_json()["refresh_token"]

    assert new != old
    assert amazon.refresh(old).get_json()["error"] == "invalid_grant"
    assert amazon.refresh(new).status_code == 200


@pytest.mark.parametrize(
    ("form", "status", "error", "description", "kind"),
    [
        (
            {"client_secret": "wrong"},
            401,
            "invalid_client",
            "Client authentication failed",
            "OA2InvalidClientException",
        ),
        ({"client_id": "amzn1.sp.solution.simulator"}, 401, "invalid_client", "Client authentication failed", "OA2Inv"),
        ({"client_secret": ""}, 401, "invalid_client", "Client authentication failed", "OA2InvalidClientException"),
        (
            {"refresh_token": "Atzr|unknown"},
            400,
            "invalid_grant",
            "The request has an invalid grant parameter : refresh_token. "
            "User may have revoked or didn't grant the permission.",
            "OA2InvalidRequestException",
        ),
        (
            {"refresh_token": ""},
            400,
            "invalid_request",
            "The request is missing a required parameter : refresh_token",
            "OA2InvalidRequestException",
        ),
        (
            {"client_id": ""},
            400,
            "invalid_request",
            "The request is missing a required parameter : client_id",
            "OA2InvalidRequestException",
        ),
        (
            {"grant_type": "authorization_code"},
            400,
            "invalid_request",
            "The request is missing a required parameter : code",
            "OA2InvalidRequestException",
        ),
        (
            {"grant_type": "password"},
            400,
            "unsupported_grant_type",
            "The authorization grant type is not supported by the authorization server",
            "OA2UnsupportedGrantTypeException",
        ),
        (
            {"grant_type": "client_credentials", "scope": "profile"},
            400,
            "invalid_scope",
            "The request has an invalid parameter : scope",
            "OA2InvalidRequestException",
        ),
        (
            {"grant_type": "client_credentials"},
            400,
            "invalid_scope",
            "The request has an invalid parameter : scope",
            "OA2InvalidRequestException",
        ),
        (
            {"grant_type": "client_credentials", "scope": "sellingpartnerapi::migration"},
            400,
            "invalid_scope",
            "The request has an invalid parameter : scope",
            "OA2InvalidRequestException",
        ),
    ],
)
def test_each_refusal_has_its_status_body_and_header(
    amazon: Amazon, form: dict[str, str], status: int, error: str, description: str, kind: str
) -> None:
    response = amazon.token(**{"grant_type": "refresh_token", "refresh_token": "Atzr|x", **form})

    assert response.status_code == status
    assert response.get_json()["error"] == error
    assert response.get_json()["error_description"] == description
    assert response.headers["x-amzn-errortype"].startswith(kind)
    assert response.headers["x-amzn-errortype"].endswith(":http://internal.amazon.com/coral/com.amazon.panda/")
    assert set(response.get_json()) - {"error", "error_description"} == (
        {"error_index", "request_id"} if error == "invalid_grant" else set()
    )


def test_another_clients_refresh_token_is_unauthorized_client(amazon: Amazon) -> None:
    response = amazon.refresh(
        amazon.grant()["refresh_token"], client_id=OTHER_CLIENT_ID, client_secret=OTHER_CLIENT_SECRET
    )

    assert response.status_code == 400
    assert response.get_json() == {
        "error": "unauthorized_client",
        "error_description": "Not authorized for requested operation",
    }


def test_a_grantless_token_comes_without_refresh_token(amazon: Amazon) -> None:
    response = amazon.token(grant_type="client_credentials", scope="sellingpartnerapi::notifications")

    assert response.status_code == 200
    assert set(response.get_json()) == {"access_token", "token_type", "expires_in"}


def test_the_client_may_authenticate_with_the_basic_scheme(amazon: Amazon) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": amazon.grant()["refresh_token"]}

    assert amazon.client.post(TOKEN, data=form, auth=(CLIENT_ID, "amzn1.oa2-cs.v1.simulator")).status_code == 200
    assert amazon.client.post(TOKEN, data=form, auth=(CLIENT_ID, "wrong")).status_code == 401
    assert amazon.client.post(TOKEN, data=form, headers={"Authorization": "Basic §"}).status_code == 401


def test_json_is_accepted_and_json_under_a_form_content_type_is_not(amazon: Amazon) -> None:
    body = {
        "grant_type": "refresh_token",
        "refresh_token": amazon.grant()["refresh_token"],
        "client_id": CLIENT_ID,
        "client_secret": "amzn1.oa2-cs.v1.simulator",
    }

    assert amazon.client.post(TOKEN, json=body).status_code == 200
    response = amazon.client.post(TOKEN, data=json.dumps(body), content_type="application/x-www-form-urlencoded")
    assert response.status_code == 400
    assert response.get_json()["error"] == "unsupported_grant_type"


@pytest.mark.parametrize("body", ["not json", "[]", "null", '{"grant_type": null}'])
def test_json_that_is_no_token_request_is_refused(amazon: Amazon, body: str) -> None:
    response = amazon.client.post(TOKEN, data=body, content_type="application/json")

    assert response.get_json()["error"] == "unsupported_grant_type"


def test_parameters_in_the_query_string_do_not_count(amazon: Amazon) -> None:
    response = amazon.client.post(TOKEN, query_string={"grant_type": "refresh_token"})

    assert response.get_json()["error"] == "unsupported_grant_type"


def test_only_post_is_allowed(amazon: Amazon) -> None:
    response = amazon.client.get(TOKEN)

    assert response.status_code == 405
    assert response.headers["Allow"] == "POST"


def test_the_lifetime_and_the_shape_of_expires_in_can_be_set(amazon: Amazon) -> None:
    token = amazon.grant()["refresh_token"]

    amazon.configure(access_token_ttl=60)
    assert amazon.refresh(token).get_json()["expires_in"] == 60
    amazon.configure(expires_in_as_text=True)
    assert amazon.refresh(token).get_json()["expires_in"] == "60"
    amazon.configure(omit_expires_in=True, omit_refresh_token=True)
    assert set(amazon.refresh(token).get_json()) == {"access_token", "token_type"}


def test_a_changed_secret_makes_the_old_one_wrong(amazon: Amazon) -> None:
    token = amazon.grant()["refresh_token"]
    amazon.configure(client_secret="new")

    assert amazon.refresh(token).status_code == 401
    assert amazon.refresh(token, client_secret="new").status_code == 200


def _sign_in(amazon: Amazon, **extra: str) -> str:
    query = {
        "client_id": CLIENT_ID,
        "scope": "profile",
        "response_type": "code",
        "redirect_uri": REDIRECT_URI,
        "state": "s",
        **extra,
    }
    return answer_of(amazon.client.post("/ap/oa", query_string=query, data={"decision": "confirm"}))["code"]


def test_a_sign_in_code_needs_its_redirect_uri(amazon: Amazon) -> None:
    code = _sign_in(amazon)

    assert amazon.redeem(code).get_json()["error"] == "invalid_request"
    assert amazon.redeem(code, redirect_uri=REDIRECT_URI).get_json()["refresh_token"].startswith("Atzr|")


@pytest.mark.parametrize(
    "asked", [{"code_challenge": CHALLENGE, "code_challenge_method": "S256"}, {"code_challenge": VERIFIER}]
)
def test_a_code_asked_for_with_pkce_needs_its_verifier(amazon: Amazon, asked: dict[str, str]) -> None:
    code = _sign_in(amazon, **asked)

    for wrong in ({}, {"code_verifier": "short"}, {"code_verifier": VERIFIER + "x"}):
        assert amazon.redeem(code, redirect_uri=REDIRECT_URI, **wrong).get_json()["error"] == "invalid_grant"
    assert amazon.redeem(code, redirect_uri=REDIRECT_URI, code_verifier=VERIFIER).status_code == 200


def test_a_client_without_secret_gets_no_refresh_token(amazon: Amazon) -> None:
    code = _sign_in(amazon, code_challenge=CHALLENGE, code_challenge_method="S256")

    response = amazon.redeem(code, redirect_uri=REDIRECT_URI, code_verifier=VERIFIER, client_secret="")

    assert response.status_code == 200
    assert "refresh_token" not in response.get_json()
