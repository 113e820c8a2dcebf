"""What all Amazon applications share: regions, marketplaces with their sign-in hosts, scopes, token addresses.

Marketplace ids and regions: Amazon's page "Marketplace IDs". Hosts: Amazon's sample code and developer guide; where
sources disagree or only third parties name one, the marketplace's note says so and Authorization URL stays editable.
"""

from __future__ import annotations

from typing import Literal

from connections.applications.application import Choice, Marketplace, Region, RegionSlug

TOKEN_URL = "https://api.amazon.com/auth/o2/token"  # noqa: S105  an address; the Selling Partner API uses it in every region
TOKEN_HOST = "api.amazon.com"  # noqa: S105
# Documented for Login with Amazon in Europe and the Far East, not for the Selling Partner API.
REGIONAL_TOKEN_HOSTS = ("api.amazon.co.uk", "api.amazon.co.jp")
# Login with Amazon's page for the browser is /ap/oa on one of these.
SIGN_IN_HOSTS = ("www.amazon.com", "amazon.com", "eu.account.amazon.com", "apac.account.amazon.com")

CLIENT_ID_PREFIXES = ("amzn1.application-oa2-client.",)
CLIENT_SECRET_PREFIXES = ("amzn1.oa2-cs.",)
APPLICATION_ID_PREFIXES = ("amzn1.sp.solution.", "amzn1.sellerapps.app.")
REFRESH_TOKEN_PREFIX = "Atzr|"  # noqa: S105
ACCESS_TOKEN_PREFIX = "Atza|"  # noqa: S105


def _region(slug: RegionSlug, name: str, aws_region: str) -> Region:
    host = f"sellingpartnerapi-{slug}.amazon.com"
    return Region(
        slug=slug,
        name=name,
        base_uri=f"https://{host}",
        sandbox_base_uri=f"https://sandbox.{host}",
        aws_region=aws_region,
    )


REGIONS = (
    _region("na", "North America", "us-east-1"),
    _region("eu", "Europe", "eu-west-1"),
    _region("fe", "Far East", "us-west-2"),
)

# Code, id, name, region, Vendor Central host, Seller Central host.
_MARKETPLACES: tuple[tuple[str, str, str, RegionSlug, str | None, str], ...] = (
    ("US", "ATVPDKIKX0DER", "United States", "na", "vendorcentral.amazon.com", "sellercentral.amazon.com"),
    ("CA", "A2EUQ1WTGCTBG2", "Canada", "na", "vendorcentral.amazon.ca", "sellercentral.amazon.ca"),
    ("MX", "A1AM78C64UM0Y8", "Mexico", "na", "vendorcentral.amazon.com.mx", "sellercentral.amazon.com.mx"),
    ("BR", "A2Q3Y263D00KWC", "Brazil", "na", "vendorcentral.amazon.com.br", "sellercentral.amazon.com.br"),
    ("UK", "A1F83G8C2ARO7P", "United Kingdom", "eu", "vendorcentral.amazon.co.uk", "sellercentral-europe.amazon.com"),
    ("DE", "A1PA6795UKMFR9", "Germany", "eu", "vendorcentral.amazon.de", "sellercentral-europe.amazon.com"),
    ("FR", "A13V1IB3VIYZZH", "France", "eu", "vendorcentral.amazon.fr", "sellercentral-europe.amazon.com"),
    ("IT", "APJ6JRA9NG5V4", "Italy", "eu", "vendorcentral.amazon.it", "sellercentral-europe.amazon.com"),
    ("ES", "A1RKKUPIHCS9HS", "Spain", "eu", "vendorcentral.amazon.es", "sellercentral-europe.amazon.com"),
    ("IE", "A28R8C7NBKEWEA", "Ireland", "eu", None, "sellercentral.amazon.ie"),
    ("NL", "A1805IZSGTT6HS", "Netherlands", "eu", "vendorcentral.amazon.nl", "sellercentral.amazon.nl"),
    ("BE", "AMEN7PMS3EDWL", "Belgium", "eu", "vendorcentral.amazon.com.be", "sellercentral.amazon.com.be"),
    ("SE", "A2NODRKZP88ZB9", "Sweden", "eu", "vendorcentral.amazon.se", "sellercentral.amazon.se"),
    ("PL", "A1C3SOZRARQ6R3", "Poland", "eu", "vendorcentral.amazon.pl", "sellercentral.amazon.pl"),
    ("TR", "A33AVAJ2PDY3EV", "Turkey", "eu", "vendorcentral.amazon.com.tr", "sellercentral.amazon.com.tr"),
    ("EG", "ARBP9OOSHTCHU", "Egypt", "eu", "vendorcentral.amazon.me", "sellercentral.amazon.eg"),
    ("SA", "A17E79C6D8DWNP", "Saudi Arabia", "eu", "vendorcentral.amazon.me", "sellercentral.amazon.sa"),
    ("AE", "A2VIGQ35RCS4UG", "United Arab Emirates", "eu", "vendorcentral.amazon.me", "sellercentral.amazon.ae"),
    ("ZA", "AE08WJ6YKNBMC", "South Africa", "eu", "vendorcentral.amazon.co.za", "sellercentral.amazon.co.za"),
    ("IN", "A21TJRUUN4KGV", "India", "eu", "www.vendorcentral.in", "sellercentral.amazon.in"),
    ("JP", "A1VC38T7YXB528", "Japan", "fe", "vendorcentral.amazon.co.jp", "sellercentral.amazon.co.jp"),
    ("AU", "A39IBJ37TRP1C6", "Australia", "fe", "vendorcentral.amazon.com.au", "sellercentral.amazon.com.au"),
    ("SG", "A19VAU5U5O7RUS", "Singapore", "fe", "vendorcentral.amazon.com.sg", "sellercentral.amazon.sg"),
)

_VENDOR_NOTES = {
    "IE": "No Vendor Central address is known for Ireland. Enter the Authorization URL yourself: "
    "the address where you sign in, followed by /apps/authorize/consent.",
    "IN": "Sources disagree: if this address does not work, "
    "use https://vendorcentral.amazon.in/apps/authorize/consent.",
    "ZA": "This address comes from third parties, not from Amazon. Check it before you rely on it.",
    "EG": "Egypt, Saudi Arabia and the United Arab Emirates share one Vendor Central.",
    "SA": "Egypt, Saudi Arabia and the United Arab Emirates share one Vendor Central.",
    "AE": "Egypt, Saudi Arabia and the United Arab Emirates share one Vendor Central.",
}


def marketplaces(account: Literal["vendor", "seller"]) -> tuple[Marketplace, ...]:
    """All 23, each with the host where vendors or sellers sign in."""
    return tuple(
        Marketplace(
            code=code,
            id=marketplace_id,
            name=name,
            region=region,
            host=vendor_host if account == "vendor" else seller_host,
            note=_VENDOR_NOTES.get(code, "") if account == "vendor" else "",
        )
        for code, marketplace_id, name, region, vendor_host, seller_host in _MARKETPLACES
    )


# The domains all those hosts are on (amazon.com, amazon.co.uk, vendorcentral.in …), which are Amazon's own.
LOGIN_HOSTS = tuple(sorted({host.partition(".")[2] for row in _MARKETPLACES for host in row[4:] if host}))

# Client credentials reach only these. sellingpartnerapi::migration went with the Authorization API in March 2024.
GRANTLESS_SCOPES = (
    Choice(value="sellingpartnerapi::notifications", label="Notifications"),
    Choice(value="sellingpartnerapi::client_credential:rotation", label="Rotate the client secret"),
    Choice(value="sellingpartnerapi::shipments:track", label="Track shipments"),
)
PROFILE_SCOPES = (
    Choice(value="profile", label="Name and email address"),
    Choice(value="profile:user_id", label="User ID only"),
    Choice(value="postal_code", label="Postal code"),
)
