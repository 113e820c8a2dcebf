"""How a value of the pane is written in a file, and how it is read back. The file's shape is `transfers.KEYS`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote

MASK = "******"
DOTS = set("*•●")


class ReadError(ValueError):
    """A value is not what its key takes. Its text goes on a sentence that begins with the key."""


@dataclass(frozen=True, eq=False)
class Kind:
    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


def text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise ReadError("must be a text")


# A custom field inside a text: `{{{connection.http.encrypted.NAME}}}` there, `{{ encrypted.NAME }}` here.
THEIRS = re.compile(r"\{\{\{?\s*connection\.http\.(encrypted|unencrypted)\.([A-Za-z0-9_.-]{1,100})\s*\}\}\}?")
OURS = re.compile(r"\{\{\s*(encrypted|field)\.([A-Za-z0-9_.-]{1,100})\s*\}\}")


def from_theirs(value: str) -> str:
    return THEIRS.sub(lambda found: f"{{{{ {'field' if found[1] == 'unencrypted' else found[1]}.{found[2]} }}}}", value)


def to_theirs(value: str) -> str:
    named = {"field": "unencrypted", "encrypted": "encrypted"}
    return OURS.sub(lambda found: f"{{{{{{connection.http.{named[found[1]]}.{found[2]}}}}}}}", value)


def number(value: Any) -> str:
    found = text(value)
    if not re.fullmatch(r"[0-9]{1,9}", found.strip()):
        raise ReadError("must be a number")
    return found.strip()


def flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ReadError("must be true or false")
    return value


def listed(value: Any, between: str) -> str:
    if isinstance(value, list):
        return between.join(text(item) for item in value)
    return text(value)


def statuses(value: Any) -> str:
    """401, "401", "401, 403", [401, 403] or [{"statusCode": 401}]."""
    if isinstance(value, list):
        value = [item.get("statusCode", "") if isinstance(item, dict) else item for item in value]
    return listed(value, ", ")


def write_statuses(value: str) -> int | str:
    return int(value) if value.isdigit() else value


def pairs(value: Any) -> list[list[str]]:
    """[{"name": …, "value": …}, …] as rows."""
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise ReadError('must be a list of {"name": …, "value": …}')
    rows = [[text(item.get("name", "")).strip(), from_theirs(text(item.get("value", ""))).strip()] for item in value]
    return [row for row in rows if any(row)]


def fields(value: Any) -> list[list[str]]:
    """{name: value} as rows. The platform also keeps it as a JSON text."""
    if isinstance(value, str):
        value = parsed(value)
    if not isinstance(value, dict):
        raise ReadError("must be an object of names and texts")
    return [[name, text(inner)] for name, inner in value.items()]


def query(value: Any) -> list[list[str]]:
    """`a=1&b=2`, a JSON object, or a list of names and values, as rows."""
    if isinstance(value, list):
        return pairs(value)
    if isinstance(value, str) and not value.lstrip().startswith("{"):
        if value and "=" not in value:
            raise ReadError("must look like name=value&name=value")
        return [[name, from_theirs(inner)] for name, inner in parse_qsl(value, keep_blank_values=True)]
    return [[name, from_theirs(inner)] for name, inner in fields(value)]


def write_query(rows: list[list[str]]) -> str:
    return "&".join(f"{quote(name, safe='')}={quote(to_theirs(value), safe='{} /:')}" for name, value in rows)


def parsed(value: str) -> Any:
    try:
        return json.loads(value) if value else {}
    except (ValueError, RecursionError):
        raise ReadError("holds a text that is not JSON") from None


def json_object(value: Any) -> str:
    if isinstance(value, str):
        return from_theirs(value)
    if not isinstance(value, dict):
        raise ReadError("must be an object")
    return from_theirs(json.dumps(value, ensure_ascii=False))


def write_json_object(value: str) -> Any:
    """As an object; as the text it is where placeholders outside of quotation marks make it no JSON."""
    try:
        return json.loads(to_theirs(value)) if value else {}
    except ValueError:
        return value


def is_mask(value: Any) -> bool:
    return not isinstance(value, str) or not value.strip() or set(value.strip()) <= DOTS


def secret(both: tuple[Any, Any]) -> tuple[list[str], bool]:
    """([""], …) where there is one; and whether it stands there in clear. It is not taken either way."""
    value, _ = both
    return ([""] if value not in ("", None, [], {}) else []), not is_mask(value)


def secret_names(both: tuple[Any, Any]) -> tuple[list[str], bool]:
    """The names of encrypted custom fields, from `encrypted` or, where that is one mask, from `encryptedFields`."""
    value, metadata = both
    if isinstance(value, dict):
        return [name[:100] for name in value], not all(is_mask(inner) for inner in value.values())
    listed_there = metadata if isinstance(metadata, list) else []
    names = [str(item.get("id", ""))[:100] for item in listed_there if isinstance(item, dict)]
    return [name for name in names if name], isinstance(value, str) and not is_mask(value)


def CHOICE(theirs: Mapping[str, str]) -> Kind:
    """A value of a select. One that is not in the table is written, and read, as it is."""
    back = {there: ours for ours, there in theirs.items()}
    return Kind(
        lambda value: theirs.get(value, value), lambda value: back.get(text(value).lower(), text(value).lower())
    )


TEXT = Kind(str, text)
METHOD = Kind(str, lambda value: text(value).upper())
TEMPLATE = Kind(to_theirs, lambda value: from_theirs(text(value)))
NUMBER = Kind(int, number)
FLAG = Kind(bool, flag)
LIST = Kind(
    lambda value: [part.strip() for part in value.split(",") if part.strip()], lambda value: listed(value, ", ")
)
SCOPES = Kind(lambda value: value.split(), lambda value: listed(value, " "))
STATUS = Kind(write_statuses, statuses)
PAIRS = Kind(lambda rows: [{"name": name, "value": to_theirs(value)} for name, value in rows], pairs)
OBJECT = Kind(dict, fields)
QUERY = Kind(write_query, query)
JSON = Kind(write_json_object, json_object)
SECRET = Kind(lambda value: MASK, secret)
NAMES = Kind(lambda names: dict.fromkeys(names, MASK), secret_names)
