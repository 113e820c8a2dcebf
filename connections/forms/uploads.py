"""A file that was uploaded, read into plain values: what of it can be brought in, and nothing secret."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from typing import Any

from django import forms

from connections.actions import transfers
from connections.actions.transfers import Entry

LARGEST = 10 * 1024 * 1024  # bytes
MOST = 5_000  # connections
NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # as JSON writes it; no database takes it


@dataclass
class Upload:
    """A file, read: no secret is in it any more. Plain JSON values, so that it can be put aside."""

    name: str
    entries: list[Entry]
    clients: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[list[str]] = field(default_factory=list)  # [[name, why], …]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Upload:
        return cls(**stored | {"entries": [Entry(**entry) for entry in stored["entries"]]})


def parse(content: bytes, name: str) -> Upload:
    """Raises ValidationError with one sentence for a file that is no list of connections."""
    found = _json(content)
    if isinstance(found, list):
        found = {"connections": found}
    if isinstance(found, dict) and "connections" not in found and "clients" not in found:
        found = {"connections": [found]}
    if not isinstance(found, dict):
        raise forms.ValidationError("This file holds no connections. Choose one that an export made.", code="shape")
    listed, clients = found.get("connections", []), found.get("clients", [])
    for entries in (listed, clients):
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            text = "This file holds no list of connections. Choose one that an export made."
            raise forms.ValidationError(text, code="shape")
    if len(listed) + len(clients) > MOST:
        raise forms.ValidationError(f"{MOST:,} at once are the most. Divide the file.", code="many")
    if not listed and not clients:
        raise forms.ValidationError("There is no connection in this file.", code="empty")
    upload = Upload(name[:200], [], clients=[_client(client) for client in clients])
    for resource in listed:
        entry = transfers.read(resource)
        kind = resource.get("type", "http")
        if kind == "http":
            upload.entries.append(entry)
        else:
            upload.skipped.append([entry.name or "Without a name", f"it is of type {str(kind)[:40]}, not http"])
    for number, entry in enumerate(upload.entries):
        entry.ref = f"{number}:{entry.ref}"  # two of the same _id stay two
    unknown = [name for name in found if name not in ("connections", "clients")]
    upload.skipped += [[name[:100], "is not a part of the file that is known"] for name in unknown]
    return upload


def _json(content: bytes) -> Any:
    if len(content) > LARGEST:
        raise forms.ValidationError("The file is larger than 10 MB. Divide it.", code="large")
    try:
        found = json.loads(content.decode("utf-8-sig"), object_pairs_hook=_no_twins, parse_constant=_no_constant)
        written = json.dumps(found, ensure_ascii=False)
        written.encode()  # refuses half characters
    except UnicodeError:
        raise forms.ValidationError("The file is not UTF-8 text. Save it as UTF-8.", code="encoding") from None
    except RecursionError:
        text = "The file is nested too deeply to be a list of connections."
        raise forms.ValidationError(text, code="depth") from None
    except Twin as error:
        raise forms.ValidationError(f"“{error}” stands twice in the same place.", code="twin") from None
    except json.JSONDecodeError as error:
        text = f"The file is not JSON: something is wrong in line {error.lineno}, column {error.colno}."
        raise forms.ValidationError(text, code="json") from None
    except ValueError:
        raise forms.ValidationError("There is a number in the file that is none.", code="json") from None
    if NUL.search(written):
        raise forms.ValidationError("There is an invisible character (NUL) in the file.", code="control")
    return found


class Twin(ValueError):
    """A key stands twice in one object."""


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise Twin(next(name for name in names if names.count(name) > 1)[:100])
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _client(resource: dict[str, Any]) -> dict[str, Any]:
    """What of a client is brought; its secret is not, wherever it stands."""
    hosts = resource.get("secret_hosts")
    texts = {name: resource.get(name) for name in ("_id", "name", "client_id", "application_id")}
    known = {name: text if isinstance(text, str) else "" for name, text in texts.items()}
    return known | {
        "secret_hosts": [host for host in hosts if isinstance(host, str)] if isinstance(hosts, list) else [],
        "unknown": [name[:100] for name in resource if name not in (*texts, "secret_hosts")],
    }


class UploadForm(forms.Form):
    """`upload` holds the file, read, once the form is valid."""

    file = forms.FileField(
        label="File",
        help_text="JSON, at most 10 MB: an export of Gatehouse, or connections as the platform’s API gives them.",
        widget=forms.FileInput(attrs={"accept": ".json,application/json"}),
        error_messages={"empty": "This file is empty."},
    )
    upload: Upload

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > LARGEST:
            raise forms.ValidationError("The file is larger than 10 MB. Divide it.", code="large")
        self.upload = parse(file.read(), file.name)
        return file
