"""What the house plan promises and a machine can check. A new exception is written into a table here, where a reader sees it."""

from __future__ import annotations

import ast
import inspect
import re
import uuid
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django import forms
from django.apps import apps
from django.core import serializers
from django.db import models
from django.template import engines
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from connections.models import Team
from connections.models.sealed import SealedField
from tests import factories

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCES = [path for folder in ("connections", "templates", "static", "tests") for path in sorted((ROOT / folder).rglob("*"))
           if path.suffix in {".py", ".html", ".css", ".js", ".txt"}]  # fmt: skip
PYTHON = [path for path in SOURCES if path.suffix == ".py"]
TEMPLATES = [path for path in SOURCES if path.suffix == ".html"]

# Whoever is not signed in reaches these and nothing else.
OPEN = {
    "setup": "the first start: there is nobody yet; the link is signed",
    "healthz": "says that the process runs, no more",
    "readyz": "says that database and keys work, no more",
    "metrics": "for who has METRICS_TOKEN; without one, for direct callers from a private address; names nobody",
    "oauth_callback": "a provider sends the browser here; the attempt is bound to user and session and is judged in the view",
    "account_login": "signing in",
    "account_logout": "signing out",
    "account_inactive": "a notice",
    "account_signup": "closed: AccountAdapter.is_open_for_signup",
    "account_email_verification_sent": "a notice",
    "account_confirm_email": "a signed link from an email",
    "account_reset_password": "asks for an email",
    "account_reset_password_done": "a notice",
    "account_reset_password_from_key": "a signed link from an email",
    "account_reset_password_from_key_done": "a notice",
    "account_confirm_login_code": "only within a sign-in that has begun",
    "mfa_authenticate": "only within a sign-in that has begun",
}
# Below /api/ a key lets in. These it is not asked of.
OPEN_API = {
    "api_document": "the published interface, the same for everybody",
    "api_docs": "the same, for people",
}
# Names that do not follow from their view's: why.
OTHER_TEMPLATES = {
    "connections/pane.html": "connection_create and connection_edit are one pane",
    "connections/test.html": "connection_test and connection_test_unsaved show the same steps",
    "clients/client.html": "client_create and client_edit are one drawer",
    "oauth/refused.html": "how oauth_callback and oauth_login say no",
}
# Every place where a secret becomes readable. A new one needs a look: where does the text go from there?
REVEALED = {
    "sealing.py": 3,  # sealing for another place; whether a value opens, and is the text that came now
    "api/tokens.py": 1,  # the token route's answer, to whoever holds a key with the scope `tokens` for the connection
    "actions/authorizations.py": 3,  # PKCE verifier to the token endpoint; the pair held for a yes, into the grant
    "actions/connection_tests.py": 1,  # a refresh token pasted a moment ago
    "actions/connections.py": 1,  # the encrypted custom fields, to replace one of them or to fill a placeholder
    "actions/grants.py": 1,  # the refresh token to the token endpoint
    "actions/logins.py": 1,  # tokens, passwords and keys to the host they are bound to
    "actions/recordings.py": 1,  # to find it in what is recorded, and put dots in its place
    "actions/revocations.py": 1,  # tokens to the revoke URL
    "actions/token_requests.py": 1,  # client secret to the token endpoint, whose host is on the client's list
    "forms/pane_checks.py": 1,  # whether a stored key fits the algorithm or certificate that was just typed
    "management/commands/rotate_keys.py": 1,  # --dry-run counts what cannot be opened
    "models/sealed.py": 1,  # from one key to another
}
# Actions that write although nobody in particular asks for it.
WITHOUT_BY = {
    "authorizations.prune": "the clock asks",
    "authorizations._end": "its callers record who",
    "grants.find": "client credentials: an empty row before the first refresh, which records who",
    "leases.take": "a lease is a process's, not a person's",
    "leases.kept": "a lease is a process's, not a person's",
    "circuits.check": "whoever comes first asks for all; a refresh records who",
    "circuits.fail": "a refresh failed; whose is recorded there",
    "circuits.close": "a refresh went well; whose is recorded there",
    "rate_limits._take": "a share of a minute is a process's, not a person's",
    "recordings.prune": "the clock asks",
    "recordings._keep": "a call was made; whoever made it is recorded there",
    "schedules.claim": "a worker takes what the clock says is due",
    "schedules.give_back": "a worker ends",
    "schedules.claim_checks": "a worker takes what the clock says is due",
    "schedules.watch": "a test was made; whoever made it is recorded there",
    "schedules.prune": "the clock asks",
    "slots._claim": "a slot is a process's, not a person's",
    "slots._extend": "a slot is a process's, not a person's",
    "slots._release": "a slot is a process's, not a person's",
    "slots.await_turn": "a turn is a process's, not a person's",
    "slots.pause": "the provider asks",
    "teams.set_up": "there is nobody yet",
    "usage._move": "a count is a process's; who was counted is told with it",
    "usage._tell": "the clock asks; who is told of is recorded there",
    "teams.create_owner": "whoever has the server's shell",
    "teams._add_owner": "the person is the one who is added",
}
WRITES = {
    "save",
    "create",
    "bulk_create",
    "update",
    "bulk_update",
    "delete",
    "get_or_create",
    "update_or_create",
    "record",
}
VAGUE = {"utils", "util", "helpers", "helper", "common", "base", "core", "services", "misc"}
INLINE = re.compile(
    r"""<script(?![^>]*\bsrc=)|<style\b|\sstyle\s*=|\son[a-z]+\s*=|hx-on\b|hx-vals\s*=\s*["']js:|javascript:""",
    re.IGNORECASE,
)


def patterns(under: list[Any] | None = None, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for pattern in get_resolver().url_patterns if under is None else under:
        if isinstance(pattern, URLResolver):
            yield from patterns(pattern.url_patterns, prefix + str(pattern.pattern))
        else:
            yield prefix + str(pattern.pattern), pattern


def address(route: str) -> str:
    """The route with something in every place."""
    somewhere = {"uuid": str(uuid.uuid4()), "slug": "http", "int": "1", "str": "something", "anything": "some/thing"}
    return "/" + re.sub(r"<(?:(\w+):)?\w+>", lambda found: somewhere[found[1] or "str"], route)


def names(path: Path) -> str:
    return str(path.relative_to(ROOT))


EVERY = list(patterns())
PATTERNS = [(route, pattern) for route, pattern in EVERY if not route.startswith("api/")]
API = [(route, pattern) for route, pattern in EVERY if route.startswith("api/")]
PRIVATE = [(route, pattern) for route, pattern in PATTERNS if pattern.name not in OPEN]


def test_only_the_listed_pages_are_open_to_everybody() -> None:
    open_pages = {pattern.name for route, pattern in PATTERNS if not getattr(pattern.callback, "login_required", True)}
    assert open_pages == set(OPEN)


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize(("route", "pattern"), PRIVATE, ids=[str(pattern.name) for route, pattern in PRIVATE])
def test_a_page_sends_who_is_not_signed_in_to_the_sign_in(
    method: str, route: str, pattern: URLPattern, db: None
) -> None:
    factories.membership(factories.team())
    answer = getattr(Client(), method)(address(route))
    assert (answer.status_code, answer.headers["Location"].partition("?")[0]) == (302, "/accounts/login/")


def test_before_setup_nothing_but_setup_and_health_answers(db: None) -> None:
    assert not Team.objects.exists()
    closed = {pattern.name: Client().get(address(route)).status_code for route, pattern in PATTERNS if "(" not in route}
    open_before = {name for name, status in closed.items() if status != 503}
    assert open_before == {"setup", "healthz", "readyz"}


@pytest.mark.parametrize("method", ["get", "post", "delete"])
@pytest.mark.parametrize(("route", "pattern"), API, ids=[route for route, pattern in API])
def test_below_api_nothing_answers_without_a_key(method: str, route: str, pattern: URLPattern, db: None) -> None:
    before = getattr(Client(), method)(address(route))
    assert (before.status_code, before.json()["code"]) == (503, "not_set_up")
    factories.membership(factories.team())
    answer = getattr(Client(), method)(address(route))
    if pattern.name in OPEN_API:
        assert answer.status_code == (200 if method == "get" else 405)
    else:
        assert answer.status_code in (401, 405)
        assert answer.json()["code"] in ("unauthorized", "method_not_allowed")


def test_view_and_url_have_one_name() -> None:
    ours = [pattern for route, pattern in EVERY if pattern.callback.__module__.startswith("connections.")]
    assert ours
    assert {pattern.name: pattern.callback.__name__ for pattern in ours} == {
        pattern.name: pattern.name for pattern in ours
    }


def test_a_template_is_named_for_its_view() -> None:
    views = {pattern.name for route, pattern in EVERY}
    folders = ROOT / "templates"
    of_libraries = {"account", "allauth", "mfa", "components", "django", "emails", "guides"}
    pages = {
        str(path.relative_to(folders)): path.stem
        for path in TEMPLATES
        if path.parent != folders
        and path.relative_to(folders).parts[0] not in of_libraries
        and not path.stem.startswith("_")
    }
    assert {page for page, stem in pages.items() if stem not in views} == set(OTHER_TEMPLATES)


@pytest.mark.parametrize("path", TEMPLATES, ids=names)
def test_a_template_has_nothing_inline_and_compiles(path: Path) -> None:
    assert not INLINE.findall(path.read_text())
    engines["django"].get_template(str(path.relative_to(ROOT / "templates")))


def test_the_script_makes_no_code_out_of_text() -> None:
    script = "\n".join(path.read_text() for path in (ROOT / "static").rglob("*.js"))
    assert not re.findall(r"\beval\(|new Function|document\.write", script)


def test_no_file_has_more_than_400_lines() -> None:
    """Migrations aside: nobody reads or edits them again."""
    counted = {names(path): len(path.read_text().splitlines()) for path in SOURCES if path.parent.name != "migrations"}
    assert {path: lines for path, lines in counted.items() if lines > 400} == {}


def test_a_module_says_what_it_is_about() -> None:
    assert [names(path) for path in PYTHON if path.stem in VAGUE or path.parent.name in VAGUE] == []


SEALED = [(model, field) for model in apps.get_app_config("connections").get_models() for field in model._meta.get_fields()
          if isinstance(field, SealedField)]  # fmt: skip
SEALED_IDS = [f"{model.__name__}.{field.name}" for model, field in SEALED]


def every_form() -> list[type[forms.BaseForm]]:
    for path in (ROOT / "connections" / "forms").glob("*.py"):
        import_module(f"connections.forms.{path.stem}")
    found: list[type[forms.BaseForm]] = [forms.Form, forms.ModelForm]
    for form in found:
        found += [each for each in form.__subclasses__() if each not in found]
    return [form for form in found if form.__module__.startswith("connections.")]


def test_no_form_is_made_from_a_sealed_field() -> None:
    sealed = {model: {field.name for owner, field in SEALED if owner is model} for model, _ in SEALED}
    model_forms = [form for form in every_form() if issubclass(form, forms.ModelForm)]
    assert model_forms
    for form in model_forms:
        of_model = forms.fields_for_model(form._meta.model, fields="__all__")
        assert not sealed.get(form._meta.model, set()) & (set(of_model) | set(form._meta.fields or ())), form.__name__


PUBLIC = {"oauth1_token"}  # an identifier: its secret is oauth1_token_secret


def hides(widget: forms.Widget) -> bool:
    """Whether a widget leaves out what it is given."""
    shown = widget.render("x", factories.SENTINEL, {"id": "x"})
    return factories.SENTINEL not in shown


def test_a_form_never_shows_again_what_was_typed_as_a_secret() -> None:
    secret = re.compile(r"secret$|password|token$|private_key|verifier")
    shown = [
        f"{form.__name__}.{name}"
        for form in every_form()
        for name, field in form.base_fields.items()
        if secret.search(name) and name not in PUBLIC and not hides(field.widget)
    ]
    assert shown == []


@pytest.mark.parametrize(("model", "field"), SEALED, ids=SEALED_IDS)
def test_a_row_shows_no_secret(model: type[models.Model], field: SealedField) -> None:
    row = model(**{field.name: factories.SENTINEL})
    seen = [str(row), repr(row), repr(vars(row)), f"{getattr(row, field.name)}", forms.model_to_dict(row)]
    seen += [serializers.serialize("json", [row]), field.value_to_string(row)]
    assert factories.SENTINEL not in repr(seen)


def test_each_reveal_is_known() -> None:
    found: Counter[str] = Counter()
    for path in (ROOT / "connections").rglob("*.py"):
        calls = (node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
        count = sum(isinstance(called, ast.Attribute) and called.attr == "reveal" for called in calls)
        found[str(path.relative_to(ROOT / "connections"))] += count
    assert +found == Counter(REVEALED)


def test_a_template_cannot_reveal() -> None:
    assert [names(path) for path in TEMPLATES if "reveal" in path.read_text()] == []
    from connections.sealing import Sealed

    template = engines["django"].from_string("{{ secret.reveal }}{{ secret }}")
    assert factories.SENTINEL not in template.render({"secret": Sealed.of(factories.SENTINEL)})


def functions(path: Path) -> Iterator[ast.FunctionDef]:
    yield from (node for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef))


def writes(function: ast.FunctionDef) -> bool:
    """Whether it saves, creates, updates or deletes a row by itself. A hash is updated too, and is no row."""
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in WRITES:
            if node.func.attr == "update" and not node.keywords:
                continue
            return True
    return False


def test_every_action_that_writes_takes_by_as_a_keyword() -> None:
    lacking = set()
    for path in sorted((ROOT / "connections" / "actions").glob("*.py")):
        for function in functions(path):
            if writes(function) and "by" not in {argument.arg for argument in function.args.kwonlyargs}:
                lacking.add(f"{path.stem}.{function.name}")
    assert lacking == set(WITHOUT_BY)


def test_nothing_but_actions_writes() -> None:
    """Views, forms, tasks and commands go through the actions; only the session is theirs."""
    outside = [path for path in (ROOT / "connections").rglob("*.py")
               if path.relative_to(ROOT / "connections").parts[0] in {"views", "forms", "management", "api", "tasks.py"}]  # fmt: skip
    writing = [
        f"{names(path)}:{node.lineno}"
        for path in outside
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and (node.attr in {"bulk_create", "get_or_create", "update_or_create"}
        or (node.attr in {"create", "update", "delete"}
            and "objects" in ast.unparse(node.value) and "Session." not in ast.unparse(node.value)))
    ]  # fmt: skip
    assert writing == []


def test_every_public_action_that_takes_by_names_it_so() -> None:
    for path in sorted((ROOT / "connections" / "actions").glob("*.py")):
        module = import_module(f"connections.actions.{path.stem}") if path.stem != "__init__" else None
        for name, function in inspect.getmembers(module, inspect.isfunction) if module else []:
            by = inspect.signature(function).parameters.get("by")
            assert by is None or by.kind is by.KEYWORD_ONLY, f"{path.stem}.{name}"
