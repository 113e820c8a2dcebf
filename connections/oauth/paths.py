"""One value out of an answer: by a JSON path where it is JSON, by an XPath where it is XML, by a name where it is a form.

JSON path: the names and places on the way, `errors[0].code`, with or without `$.` in front; `errors.0.code` and `['a.b']` are read
too. XPath 1.0 with the prefixes of the document itself; names in its default namespace need none. CSV and plain text have no paths.

Answers come from outside, so nothing in one is trusted: no document type, no entity and nothing from the network, a cap on size and
depth, and a path that would keep a processor busy for long on a hostile document is not one.
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qsl

from lxml import etree

MAX_BYTES = {"json": 1024 * 1024, "xml": 256 * 1024, "urlencoded": 256 * 1024}  # in a longer body nothing is found
MAX_VALUE = 20_000  # characters of a value; tokens may be long
PART = re.compile(r"""\[\s*(?:(\d+)|'([^']*)'|"([^"]*)")\s*\]|([^.\[\]]+)""")
# A search of the whole document for each node of the document: minutes of work in a megabyte.
WIDE = re.compile(r"\.\.|::|//.*//|\[[^\]]*(//|\[)")
EXSLT = "http://exslt.org/"  # its functions build long texts and run regular expressions


def read(body: bytes, media_type: str, path: str) -> str | None:
    """The text at `path`; None where there is none, or where the body is not what `media_type` says.

    `media_type`: json, xml, urlencoded (then the path is a field's name); any other has no values. true, false and numbers are
    given as JSON writes them. Raises nothing.
    """
    path = path.strip()
    if not path or problem(path, media_type) or len(body) > MAX_BYTES[media_type]:
        return None
    if media_type == "json":
        return _in_json(body, path)
    if media_type == "xml":
        return _in_xml(body, path)
    return _in_form(body, path)


def problem(path: str, media_type: str) -> str:
    """A sentence for the field where `path` was typed; "" when it can be read."""
    if media_type == "xml":
        try:
            etree.XPath(path, regexp=False)
        except etree.XPathError:
            return "This is not an XPath. Write it like /response/error/code or //code."
        if WIDE.search(path):
            return "This XPath searches too widely: give the way from the root, and plain conditions in brackets."
        return ""
    if media_type == "json":
        return "" if _parts(path) is not None else "This is not a path. Write it like errors[0].code."
    return "" if media_type == "urlencoded" else "Values are found in JSON and XML only."


def _in_json(body: bytes, path: str) -> str | None:
    try:
        value: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, dict) and path in value:  # a field whose own name has dots
        return _text(value[path])
    for name, index in _parts(path) or ():
        if isinstance(value, list) and index is not None and index < len(value):
            value = value[index]
        elif isinstance(value, dict) and name in value:
            value = value[name]
        else:
            return None
    return _text(value)


def _parts(path: str) -> list[tuple[str, int | None]] | None:
    """[(name, number if it is one), …]; None for what is no path."""
    rest = path.removeprefix("$").removeprefix(".")
    parts: list[tuple[str, int | None]] = []
    while rest:
        match = PART.match(rest)
        if match is None:
            return None
        number, single, double, bare = match.groups()
        name = next(text for text in (number, single, double, bare) if text is not None).strip()
        is_place = number is not None or (bare is not None and name.isascii() and name.isdecimal())
        parts.append((name, int(name) if is_place and len(name) < 10 else None))
        rest = rest[match.end() :]
        if rest.startswith("."):
            rest = rest[1:]
            if not rest:
                return None
        elif rest and not rest.startswith("["):
            return None
    return parts


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return None if value is None else value[:MAX_VALUE]
    return json.dumps(value, ensure_ascii=False)[:MAX_VALUE]


def _in_xml(body: bytes, path: str) -> str | None:
    # libxml2's own limits on depth (256) and on what entities may grow to stay on: huge_tree is False.
    parser = etree.XMLPullParser(
        events=("start-ns",), resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False,
        remove_comments=True, remove_pis=True,
    )  # fmt: skip
    try:
        parser.feed(body)
        root = parser.close()
        if root.getroottree().docinfo.internalDTD is not None:
            return None  # whoever declares a document type wants entities
        declared: Any = parser.read_events()
        prefixes: dict[str, str] = {prefix: uri for _, (prefix, uri) in declared if not uri.startswith(EXSLT)}
        if prefixes.pop("", None):
            _drop_default_namespace(root)
        found: Any = etree.XPath(path, namespaces=prefixes, regexp=False, smart_strings=False)(root)
    except (etree.LxmlError, ValueError):
        return None
    if isinstance(found, list):
        if not found:
            return None
        found = found[0]
    if isinstance(found, etree._Element):
        found = "".join(str(text) for text in found.itertext())
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, float):
        return f"{found:.15g}"
    return str(found).strip()[:MAX_VALUE]


def _drop_default_namespace(root: Any) -> None:
    """XPath 1.0 has no way to name an element of a default namespace without inventing a prefix."""
    for element in root.iter(etree.Element):
        if element.prefix is None and element.tag.startswith("{"):
            element.tag = etree.QName(element).localname


def _in_form(body: bytes, path: str) -> str | None:
    try:
        fields = dict(parse_qsl(body.decode().strip(), keep_blank_values=True, max_num_fields=200))
    except ValueError:
        return None
    value = fields.get(path)
    return None if value is None else value[:MAX_VALUE]
