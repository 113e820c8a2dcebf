"""`{{ name }}` in overrides and custom authentication: a closed list of names, no logic.

Names: `code`, `redirect_uri`, `client_id`, `client_secret`, `refresh_token`, `token`, and with any NAME `query.NAME` (a parameter of
the callback), `encrypted.NAME` and `field.NAME` (custom fields). A value put in is never looked at for further placeholders.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

PLACEHOLDER = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
NAME = re.compile(r"[a-z_]+|(?:query|encrypted|field)\.[A-Za-z0-9_.-]{1,100}")


class PlaceholderError(Exception):
    """A placeholder has no value here. `name` is what stands between the braces."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no value for {{{{ {name} }}}}.")
        self.name = name


def names(text: str) -> list[str]:
    """Every name used, in order, as written."""
    return [match.strip() for match in PLACEHOLDER.findall(text)]


def problem(text: str, allowed: Iterable[str]) -> str:
    """A sentence for the field where `text` was typed; "" when every placeholder may stand there.

    `allowed` holds whole names, and `query.`, `encrypted.` or `field.` for any name behind them.
    """
    known = set(allowed)
    for name in names(text):
        kind = name.partition(".")[0] + "." if "." in name else name
        if not NAME.fullmatch(name) or kind not in known:
            shown = ", ".join(
                "{{ " + (entry + "NAME" if entry.endswith(".") else entry) + " }}" for entry in sorted(known)
            )
            return f"“{{{{ {name[:60]} }}}}” is not known here. " + (
                f"Known: {shown}." if shown else "Nothing is filled in here."
            )
    rest = PLACEHOLDER.sub("", text)
    if "{{" in rest or "}}" in rest or "{%" in rest:
        return "A pair of braces is not closed."
    return ""


def fill(text: str, values: Mapping[str, str], *, quote: Callable[[str], str] = str) -> str:
    """`text` with every placeholder replaced by its value, each passed through `quote`. Raises PlaceholderError."""

    def value(match: re.Match[str]) -> str:
        name = match[1].strip()
        if name not in values:
            raise PlaceholderError(name)
        return quote(values[name])

    return PLACEHOLDER.sub(value, text)
