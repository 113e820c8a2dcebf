"""What the codes of our own network and protocol layers mean, at any provider."""

from __future__ import annotations

from connections.applications.application import Explanation, Rule, Where, explained

# Further names for one and the same code.
_ALSO = {
    "redirected": ("redirect",),
    "refused_address": ("address_refused",),
    "tls": ("untrusted_certificate",),
    "broken": ("broken_answer",),
}


def transport_rules(provider: str, *, where: Where, field: str) -> tuple[Rule, ...]:
    """Rules for one address, the one a person entered in `field`. `provider` is a name for mid-sentence."""
    rows: dict[str, Explanation] = {
        "timeout": explained(
            f"The address in {field} did not answer in time.",
            f"{at_start(provider)} may be slow or under maintenance. Nothing that is saved has changed.",
            "Wait a minute, then press Test connection.",
            "wait",
        ),
        "unreachable": explained(
            f"The address in {field} could not be reached.",
            f"Either this server has no way out to the network, or {provider} is not reachable at the moment.",
            f"Check {field}, then press Test connection.",
            "test",
        ),
        "connect": explained(
            f"Nothing accepted the connection at the address in {field}.",
            "The host was found, but it refuses callers or cannot be reached at that port.",
            f"Check the host and port in {field}, then press Test connection.",
            "edit_connection",
        ),
        "tls": explained(
            f"The secure connection to the address in {field} could not be set up.",
            "Its certificate has run out, is for another host or is not trusted here; "
            "or the TLS client certificate under Advanced does not fit. Nothing secret was sent.",
            f"Check the host in {field}. If it is right, ask whoever runs that host about its certificate.",
            "edit_connection",
        ),
        "redirected": explained(
            f"The address in {field} sends callers on to another address.",
            "Secrets and tokens are never sent along to an address that nobody entered, so the call stopped there.",
            f"Enter the final address in {field}, then press Test connection.",
            "edit_connection",
        ),
        "insecure": explained(
            f"The address in {field} is not secure.",
            "It begins with http, so anyone on the way could read the secret. Nothing was sent.",
            f"Change {field} to an address that begins with https, then press Test connection.",
            "edit_connection",
        ),
        "refused_address": explained(
            f"The address in {field} leads to a private or reserved network.",
            "Such addresses are not called unless the people who run this server allow them. Nothing was sent.",
            f"Check {field}, or ask for its host to be added to PRIVATE_HOSTS_ALLOWED.",
            "edit_connection",
        ),
        "sign_in_page": explained(
            f"The address in {field} is a page where people sign in.",
            f"It belongs in Authorization URL. {at_start(provider)} gives out tokens at another address. "
            "No secret was sent.",
            f"Enter the right address in {field}, then press Save & authorize.",
            "edit_connection",
        ),
        "invalid_url": explained(
            f"The address in {field} cannot be used.",
            "It is not a complete web address, or it can be read in two ways. Nothing was sent.",
            f"Enter {field} again, beginning with https, then press Test connection.",
            "edit_connection",
        ),
        "broken": explained(
            f"The answer from the address in {field} broke off.",
            "The connection ended half-way, or the answer does not follow the rules of HTTP.",
            "Wait a minute, then press Test connection.",
            "wait",
        ),
        "too_large": explained(
            f"The answer from the address in {field} was too long to read.",
            "It is not what was asked for: perhaps a page or a file.",
            f"Check {field}, then press Test connection.",
            "edit_connection",
        ),
    }
    not_json = explained(
        f"The answer from the address in {field} is not JSON.",
        "A web page or a proxy answered in place of the API.",
        f"Check {field} for a missing or wrong path, then press Test connection.",
        "edit_connection",
    )
    no_such_host = explained(
        f"The host in {field} does not exist.",
        "No address could be found for that name. Most often it is a typing mistake.",
        f"Correct {field}, then press Test connection.",
        "edit_connection",
    )
    return (
        *(
            Rule(where=(where,), errors=(code, *_ALSO.get(code, ())), explanation=explanation)
            for code, explanation in rows.items()
        ),
        # Without a status it is ours; with one it is the API's own "NotFound".
        Rule(where=(where,), errors=("not_found",), unanswered=True, explanation=no_such_host),
        Rule(where=(where,), errors=("not_json",), statuses=(500, 599), explanation=trouble(provider, where)),
        Rule(where=(where,), errors=("not_json",), statuses=(200, 299), explanation=not_json),
        Rule(where=(where,), errors=("not_json",), unanswered=True, explanation=not_json),
    )


def trouble(provider: str, where: Where) -> Explanation:
    """A fault on the other side that usually passes."""
    what = "while giving out a token" if where == "token" else "while answering the call"
    return explained(
        f"{at_start(provider)} had a fault {what}.",
        "The fault is on the other side and usually passes. The connection is tried again by itself.",
        "Wait a few minutes, then press Test connection.",
        "wait",
    )


def at_start(provider: str) -> str:
    return provider[0].upper() + provider[1:]
