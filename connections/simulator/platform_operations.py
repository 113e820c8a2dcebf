"""The operations that are no vendor's own: notifications, sellers, restricted data tokens, client secret rotation."""

from typing import Final

from connections.simulator.answers import Answer, Caller, invalid
from connections.simulator.tokens import RESTRICTED_PREFIX, Claims

RESTRICTED_TTL: Final = 3600
RESOURCES_AT_MOST: Final = 50


def get_destinations(caller: Caller) -> Answer:
    """One destination. Grantless: only a token with the notifications scope gets here."""
    arn = "arn:aws:sqs:us-east-2:444455556666:queue1"
    destination = {
        "destinationId": "SIMULATED_DESTINATION",
        "name": "SQSDestination",
        "resource": {"sqs": {"arn": arn}},
    }
    return 200, {"payload": [destination]}


def get_marketplace_participations(caller: Caller) -> Answer:
    """One marketplace. Sellers only."""
    marketplace = {
        "id": "ATVPDKIKX0DER",
        "name": "Amazon.com",
        "countryCode": "US",
        "defaultCurrencyCode": "USD",
        "defaultLanguageCode": "en_US",
        "domainName": "www.amazon.com",
    }
    participation = {"isParticipating": True, "hasSuspendedListings": False}
    row = {"marketplace": marketplace, "participation": participation, "storeName": "Example Outdoor Shop"}
    return 200, {"payload": [row]}


def create_restricted_data_token(caller: Caller) -> Answer:
    """A restricted data token for at most fifty resources; one hour."""
    body = caller.request.get_json(silent=True, force=True)
    resources = body.get("restrictedResources") if isinstance(body, dict) else None
    named = isinstance(resources, list) and all(
        isinstance(each, dict) and each.get("method") in ("GET", "PUT", "POST", "DELETE") and each.get("path")
        for each in resources
    )
    if not isinstance(resources, list) or not resources or not named or len(resources) > RESOURCES_AT_MOST:
        raise invalid("Resource not provided.", "Request is missing or has invalid parameters", "InvalidRequest")
    end = caller.state.clock() + RESTRICTED_TTL
    claims = Claims(caller.claims.client_id, caller.claims.grant_id, end, caller.claims.scope)
    token = caller.state.mint.issue(claims, RESTRICTED_PREFIX)
    return 200, {"restrictedDataToken": token, "expiresIn": RESTRICTED_TTL}


def rotate_application_client_secret(caller: Caller) -> Answer:
    """Makes a new client secret; the old one works for seven days more. Amazon sends the new one to a queue."""
    if not caller.state.configuration.rotation_enrolled:
        raise invalid(
            message="Application is not enrolled for rotation notification. "
            "Please update application notification preference in Developer console."
        )
    caller.state.rotate_secret()
    return 204, None
