import pytest

from connections.oauth.authorize import parse_callback


def test_a_code_comes_with_its_state_and_the_other_parameters() -> None:
    callback = parse_callback(
        {"spapi_oauth_code": "C", "state": "S", "selling_partner_id": "VG1", "mws_auth_token": "never"},
        code_param="spapi_oauth_code",
    )

    assert (callback.code, callback.state, callback.error) == ("C", "S", None)
    assert callback.extra == {"selling_partner_id": "VG1"}


def test_an_error_is_told_before_a_code_is_looked_for() -> None:
    callback = parse_callback(
        {"code": "C", "state": "S", "error": "access_denied", "error_description": "Access not permitted."}
    )

    assert callback.code is None
    assert callback.state == "S"
    assert callback.error is not None
    assert (callback.error.error, callback.error.kind) == ("access_denied", "misconfigured")
    assert callback.error.description == "Access not permitted."


@pytest.mark.parametrize("query", [{"state": "S"}, {"state": "S", "code": ""}, {"state": "S", "code": " "}, {}])
def test_a_callback_with_neither_code_nor_error_says_so(query: dict[str, str]) -> None:
    callback = parse_callback(query)

    assert callback.code is None
    assert callback.error is not None
    assert callback.error.error == "missing_code"


@pytest.mark.parametrize("name", ["code", "state", "error"])
def test_a_doubled_parameter_is_an_error(name: str) -> None:
    query = {"code": ["C"], "state": ["S"], name: ["one", "two"]}

    callback = parse_callback(query)

    assert callback.code is None
    assert callback.error is not None
    assert callback.error.error == "invalid_callback"
    assert name in callback.error.description
    assert callback.state == ("" if name == "state" else "S")


def test_an_empty_list_counts_as_missing() -> None:
    callback = parse_callback({"code": [], "state": ["S"]})

    assert callback.error is not None


def test_the_repr_shows_neither_code_nor_state() -> None:
    told = repr(parse_callback({"code": "the-code", "state": "the-state"}))

    assert "the-code" not in told
    assert "the-state" not in told


def test_an_error_that_echoes_code_or_state_is_scrubbed() -> None:
    callback = parse_callback(
        {"code": "the-code", "state": "the-state", "error": "x", "error_description": "bad the-code and the-state"}
    )

    assert callback.error is not None
    assert callback.error.description == "bad •••••• and ••••••"


def test_an_unreadable_error_name_is_still_an_error() -> None:
    callback = parse_callback({"state": "S", "error": "…"})

    assert callback.error is not None
    assert callback.error.error == "unknown_error"


def test_a_flood_of_parameters_is_not_kept() -> None:
    callback = parse_callback({"state": "S", "code": "C", **{f"p{n}": "x" for n in range(100)}, "long": "x" * 1000})

    assert len(callback.extra) <= 20
    assert "long" not in callback.extra


def test_tokens_of_an_implicit_flow_are_not_kept() -> None:
    callback = parse_callback({"state": "S", "code": "C", "access_token": "T", "id_token": "T", "refresh_token": "T"})

    assert callback.extra == {}
