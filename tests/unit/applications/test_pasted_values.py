"""What people paste and what a browser brings: tokens, ids in the wrong field, addresses to go back to."""

from __future__ import annotations

import pytest

from connections.applications import available

SIMULATOR = "http://127.0.0.1:8899"
ALL = available(simulator_url=SIMULATOR)
VENDOR_CENTRAL = ALL["amazon-vendor-central"]
CLIENT_ID = "amzn1.application-oa2-client.0123456789abcdef"
APPLICATION_ID = "amzn1.sp.solution.0f1e2d3c"
SECRET = "amzn1.oa2-cs.v1.0123456789abcdef"
TOKEN = "Atzr|IwEBIexampleExampleExample"


@pytest.mark.parametrize(
    "pasted",
    [
        TOKEN,
        f"  {TOKEN}\n",
        f'"{TOKEN}"',
        f'"{TOKEN}',
        f"'{TOKEN}',",
        f"“{TOKEN}”",
        f"`{TOKEN}`",
        f"\ufeff{TOKEN}\u200b",
        f'\u00a0" {TOKEN} "\u00a0',
    ],
)
def test_blanks_and_quotes_around_a_refresh_token_are_taken_off(pasted: str) -> None:
    assert VENDOR_CENTRAL.check_refresh_token(pasted) == (TOKEN, "")


@pytest.mark.parametrize(
    ("pasted", "says"),
    [
        ("Atza|IwEBIexample", "access token"),
        ('"Atza|IwEBIexample"', "access token"),
        ("IwEBIexample", "begins with Atzr|"),
        ("Atz.sprdt|example", "begins with Atzr|"),
        (SECRET, "begins with Atzr|"),
        ('""', "begins with Atzr|"),
        ("Atzr|IwEB\nIexample", "line break"),
        ("Atzr|" + "x" * 2044, "2048 bytes"),
        ("Atzr|" + "é" * 1022, "2048 bytes"),
    ],
)
def test_what_is_not_a_refresh_token_is_named_and_not_repeated(pasted: str, says: str) -> None:
    _, error = VENDOR_CENTRAL.check_refresh_token(pasted)
    assert says in error
    assert "example" not in error


def test_a_refresh_token_may_have_2048_bytes() -> None:
    assert VENDOR_CENTRAL.check_refresh_token("Atzr|" + "x" * 2043)[1] == ""


@pytest.mark.parametrize("slug", ALL)
@pytest.mark.parametrize("pasted", ["", "  \n"])
def test_a_blank_refresh_token_is_no_mistake(slug: str, pasted: str) -> None:
    assert ALL[slug].check_refresh_token(pasted) == ("", "")


def test_any_other_provider_may_have_tokens_of_any_form() -> None:
    assert ALL["http"].check_refresh_token(' "Atza|kept as it is" ') == ('"Atza|kept as it is"', "")
    assert ALL["http"].check_refresh_token("x" * 8192)[1] == ""
    assert "8192" in ALL["http"].check_refresh_token("x" * 8193)[1]


def test_a_client_as_amazon_hands_it_out_gets_no_notice() -> None:
    values = {"client_id": CLIENT_ID, "client_secret": SECRET, "application_id": APPLICATION_ID}
    assert VENDOR_CENTRAL.notices_client(**values) == []


@pytest.mark.parametrize(
    ("secret", "application_id"),
    [("0123456789abcdef0123456789abcdef", "amzn1.sellerapps.app.0f1e2d3c"), ("", "")],
)
def test_older_forms_and_blank_fields_get_no_notice(secret: str, application_id: str) -> None:
    notices = VENDOR_CENTRAL.notices_client(client_id=CLIENT_ID, client_secret=secret, application_id=application_id)
    assert notices == []


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("client_id", APPLICATION_ID, "looks like an Application ID"),
        ("client_id", "amzn1.sellerapps.app.0f1e2d3c", "looks like an Application ID"),
        ("client_id", SECRET, "looks like a client secret"),
        ("client_id", "0f1e2d3c", "begins with amzn1.application-oa2-client"),
        ("application_id", CLIENT_ID, "looks like a Client ID"),
        ("application_id", "0f1e2d3c", "begins with amzn1.sp.solution or amzn1.sellerapps.app"),
        ("client_secret", TOKEN, "looks like a refresh token"),
        ("client_secret", f"{SECRET} {TOKEN}", "token inside"),
        ("client_secret", "abc Atza|example", "token inside"),
        ("client_secret", CLIENT_ID, "looks like a Client ID"),
        ("client_secret", APPLICATION_ID, "looks like an Application ID"),
        ("client_secret", f'"{SECRET}"', "quotation marks"),
    ],
)
def test_a_value_in_the_wrong_field_is_noticed_and_not_repeated(field: str, value: str, says: str) -> None:
    values = {"client_id": CLIENT_ID, "client_secret": SECRET, "application_id": APPLICATION_ID} | {field: value}
    [(named, sentence)] = VENDOR_CENTRAL.notices_client(**values)
    assert named == field
    assert says in sentence
    assert value not in sentence
    assert sentence.endswith(".")


def test_any_other_provider_may_have_clients_of_any_form() -> None:
    assert ALL["http"].notices_client(client_id=APPLICATION_ID, client_secret=f'"{TOKEN}"') == []


@pytest.mark.parametrize(
    "url",
    [
        "https://amazon.com/apps/authorize/confirm/amzn1.sellerapps.app.1?x=1",
        "https://vendorcentral.amazon.com/apps/authorize/confirm/amzn1.sp.solution.1",
        "https://sellercentral-europe.amazon.com/apps/authorize/confirm/1",
        "https://vendorcentral.amazon.co.uk/x",
        "https://VendorCentral.Amazon.COM.BE:443/x",
        "https://www.vendorcentral.in/x",
        "https://sellercentral.amazon.sg",
    ],
)
def test_amazon_may_be_gone_back_to(url: str) -> None:
    assert VENDOR_CENTRAL.allows_login_callback(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://vendorcentral.amazon.com/x",
        "https://evilamazon.com/x",
        "https://amazon.com.evil.net/x",
        "https://evil.net/amazon.com",
        "https://evil.net?https://amazon.com/",
        "https://evil.net#.amazon.com",
        "https://evil.net\\.amazon.com/x",
        "https://amazon.com\\@evil.net/x",
        "https://amazon.com@evil.net/x",
        "https://user:password@vendorcentral.amazon.com/x",
        "https://user@vendorcentral.amazon.com/x",
        "https://vendorcentral.amazon.com:8443/x",
        "https://vendorcentral.amazon.com:80/x",
        "https://vendorcentral.amazon.com:/x",
        "https://vendorcentral.amazon.com./x",
        "https://vendorcentral.amazon.com%2eevil.net/x",
        "https://vendorcentral.amazon.com\t.evil.net/x",
        "https://vendorcentral.amazon.com/x\r\nSet-Cookie: a=b",
        " https://vendorcentral.amazon.com/x",
        "https://vendorcentral.amazon.com/x\n",
        "https://vendorcentral。amazon。com/x",
        "https://vendorcentral.amаzon.com/x",
        "https://vendorcentral.amazon.com/x#fragment",
        "https:vendorcentral.amazon.com/x",
        "https:///vendorcentral.amazon.com/x",
        "//vendorcentral.amazon.com/x",
        "javascript://vendorcentral.amazon.com/%0aalert(1)",
        "https://vendorcentral.amazonaws.com/x",
        "https://amazon.evil/x",
        "https://evilvendorcentral.in/x",
        f"{SIMULATOR}/apps/authorize/confirm/1",
    ],
)
def test_nowhere_else_is_gone_back_to(url: str) -> None:
    assert not VENDOR_CENTRAL.allows_login_callback(url)


def test_the_simulator_is_gone_back_to_only_by_its_own_application() -> None:
    simulator = ALL["amazon-simulator"]
    assert simulator.allows_login_callback(f"{SIMULATOR}/apps/authorize/confirm/1")
    for url in ("http://127.0.0.1:8898/x", "https://127.0.0.1:8899/x", "https://vendorcentral.amazon.com/x"):
        assert not simulator.allows_login_callback(url)
    assert not ALL["http"].allows_login_callback("https://vendorcentral.amazon.com/x")
