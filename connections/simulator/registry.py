"""Who exists at the simulated Amazon: clients, applications, accounts, marketplaces. Fixed; the first three made up."""

from dataclasses import dataclass
from typing import Final, Literal

CLIENT_ID: Final = "amzn1.application-oa2-client.simulator"
OTHER_CLIENT_ID: Final = "amzn1.application-oa2-client.simulator-2"
OTHER_CLIENT_SECRET: Final = "amzn1.oa2-cs.v1.simulator-2"
CLIENT_IDS: Final = (CLIENT_ID, OTHER_CLIENT_ID)
CLIENT_NAMES: Final = {CLIENT_ID: "Example Integrations", OTHER_CLIENT_ID: "Example Integrations, second client"}


@dataclass(frozen=True)
class Application:
    """What the consent page's `application_id` names. Both belong to the first client."""

    id: str
    name: str
    draft: bool
    client_id: str = CLIENT_ID


@dataclass(frozen=True)
class Account:
    """Who consents. `id` comes back as `selling_partner_id`; for a vendor it is the vendor group's code."""

    id: str
    name: str
    kind: Literal["vendor", "seller", "customer"]
    country: str = "US"


APPLICATIONS: Final = {
    each.id: each
    for each in (
        Application("amzn1.sp.solution.simulator", "Example Integrations", draft=False),
        Application("amzn1.sp.solution.simulator-draft", "Example Integrations (draft)", draft=True),
    )
}

PARTNERS: Final = {
    each.id: each
    for each in (
        Account("VGSIMULATOR01", "Example Home Goods US", "vendor"),
        Account("VGSIMULATOR02", "Example Home Goods DE", "vendor", "DE"),
        Account("VGSIMULATOR03", "Example Garden JP", "vendor", "JP"),
        Account("A1SIMULATOR01", "Example Outdoor Shop", "seller"),
    )
}

CUSTOMERS: Final = {
    each.id: each
    for each in (
        Account("amzn1.account.SIMULATOR01", "Sample Customer", "customer"),
        Account("amzn1.account.SIMULATOR02", "Another Customer", "customer"),
    )
}

# Amazon, “Marketplace IDs”: each region's endpoint serves its own marketplaces only.
MARKETPLACES: Final[dict[str, frozenset[str]]] = {
    "na": frozenset({"A2EUQ1WTGCTBG2", "ATVPDKIKX0DER", "A1AM78C64UM0Y8", "A2Q3Y263D00KWC"}),
    "eu": frozenset(
        {
            "A28R8C7NBKEWEA",
            "A1RKKUPIHCS9HS",
            "A1F83G8C2ARO7P",
            "A13V1IB3VIYZZH",
            "AMEN7PMS3EDWL",
            "A1805IZSGTT6HS",
            "A1PA6795UKMFR9",
            "APJ6JRA9NG5V4",
            "A2NODRKZP88ZB9",
            "AE08WJ6YKNBMC",
            "A1C3SOZRARQ6R3",
            "ARBP9OOSHTCHU",
            "A33AVAJ2PDY3EV",
            "A17E79C6D8DWNP",
            "A2VIGQ35RCS4UG",
            "A21TJRUUN4KGV",
        }
    ),
    "fe": frozenset({"A19VAU5U5O7RUS", "A39IBJ37TRP1C6", "A1VC38T7YXB528"}),
}

GRANTLESS_SCOPES: Final = frozenset(
    {
        "sellingpartnerapi::notifications",
        "sellingpartnerapi::client_credential:rotation",
        "sellingpartnerapi::shipments:track",
    }
)
PROFILE_SCOPES: Final = frozenset({"profile", "profile:user_id", "postal_code"})
