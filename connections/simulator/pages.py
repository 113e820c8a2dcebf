"""The frame around every page for people, and its pieces. Plain strings; every value is escaped on its way in."""

from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Final

from werkzeug.wrappers import Request, Response

from connections.simulator.registry import Account
from connections.simulator.state import State

STYLE_PATH: Final = "/_control/style.css"
_STYLE: Final = Path(__file__).with_name("style.css").read_text()

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} · Amazon simulator</title>
<link rel="stylesheet" href="{style}">
</head>
<body class="{kind}">
<header class="banner"><strong>Simulator.</strong> This page stands in for Amazon. Nothing here reaches Amazon.</header>
<main>
{body}
</main>
</body>
</html>
"""


def page(title: str, body: str, status: int = 200, kind: str = "dialog") -> Response:
    """A whole page. `title` is escaped here; `body` is HTML. `kind` is `dialog` (narrow) or `desk` (wide)."""
    html = _PAGE.format(title=escape(title), style=STYLE_PATH, body=body, kind=kind)
    response = Response(html, status, content_type="text/html; charset=utf-8")
    response.headers["Cache-Control"] = "no-store"
    # No form-action: browsers apply it to the redirect after the post too, and that one leaves this origin.
    response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'self'; frame-ancestors 'none'"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def style(state: State, request: Request) -> Response:
    """The one stylesheet."""
    response = Response(_STYLE, content_type="text/css; charset=utf-8")
    response.headers["Cache-Control"] = "max-age=60"
    return response


def account_field(label: str, accounts: Iterable[Account]) -> str:
    """A labelled select named `account`; the first is chosen. Grouped by where the account signs in."""
    homes = {"vendor": "Vendor Central", "seller": "Seller Central", "customer": "Amazon customer"}
    groups: dict[str, list[str]] = {}
    for account in accounts:
        option = f'<option value="{escape(account.id)}">{escape(account.name)} ({escape(account.id)})</option>'
        groups.setdefault(homes[account.kind], []).append(option)
    options = "".join(f'<optgroup label="{home}">{"".join(some)}</optgroup>' for home, some in groups.items())
    return (
        f'<div class="field"><label for="account">{escape(label)}</label>'
        f'<select id="account" name="account">{options}</select></div>'
    )


def facts(rows: Iterable[tuple[str, str]]) -> str:
    """A list of names and values."""
    return (
        "<dl>"
        + "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in rows)
        + "</dl>"
    )


DECISION: Final = (
    '<div class="buttons"><button name="decision" value="confirm" class="primary">Confirm</button>'
    '<button name="decision" value="cancel">Cancel</button></div>'
)
