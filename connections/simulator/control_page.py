"""The page at `/`, without script: every failure as a button, the settings, what is granted and the last calls."""

from html import escape
from typing import Any, Final

from werkzeug.wrappers import Request, Response

from connections.simulator.configuration import Configuration
from connections.simulator.pages import account_field, facts, page
from connections.simulator.presets import GROUPS, Preset
from connections.simulator.registry import APPLICATIONS, CLIENT_ID, PARTNERS
from connections.simulator.state import State

CALLS_SHOWN: Final = 30


def desk(state: State, request: Request) -> Response:
    """The whole page."""
    with state.lock:
        body = "".join(
            (
                "<h1>Amazon simulator</h1><p>Vendor Central’s consent page, Login with Amazon’s token endpoint and the "
                "Selling Partner API, as a product meets them. Press a button to make one of them fail.</p>",
                _addresses(state, request),
                _coming(state),
                *(_group(title, presets, state.configuration) for title, presets in GROUPS),
                _granted(state),
                _calls(state),
                _settings(state.configuration),
            )
        )
    return page("Control", body, kind="desk")


def new_grant(result: Any) -> Response:
    """The refresh token of a self-authorization, shown once as the Solution Provider Portal does."""
    return page(
        "Refresh token",
        '<section class="card"><h1>Refresh token</h1>'
        f"<p>For <strong>{escape(result['selling_partner_id'])}</strong>. Copy it now; it is shown only here.</p>"
        '<div class="field"><label for="token">Refresh token</label>'
        f'<textarea id="token" rows="8" class="mono" readonly>{escape(result["refresh_token"])}</textarea></div>'
        '<p><a href="/">Back to the simulator</a></p></section>',
    )


def _addresses(state: State, request: Request) -> str:
    here = request.host_url.rstrip("/")
    published, draft = APPLICATIONS
    rows = [
        ("Authorization URL", f"{here}/apps/authorize/consent"),
        ("Access token URL", f"{here}/auth/o2/token"),
        ("Base URI", here),
        ("Login with Amazon", f"{here}/ap/oa"),
        ("Application ID", published),
        ("… of the draft", draft),
        ("Client ID", CLIENT_ID),
        ("Client secret", state.configuration.client_secret),
    ]
    return f'<section class="card"><h2>What to enter</h2>{facts(rows)}</section>'


def _coming(state: State) -> str:
    waiting = "".join(
        f"<li><code>{escape(fault.path)}</code> {_words(fault.status, fault.delay_ms)}, {fault.times} more</li>"
        for fault in state.faults
    )
    clear = (
        '<form method="post" action="/_control/faults/clear"><button name="json" value="{}">Clear them</button></form>'
    )
    reset = (
        '<form method="post" action="/_control/reset"><button name="json" value="{}">Reset everything</button></form>'
    )
    listed = f"<ul>{waiting}</ul>" if waiting else '<p class="quiet">None: every call gets its usual answer.</p>'
    return (
        f'<section class="card"><h2>Failures still to come</h2>{listed}'
        f'<div class="bar">{clear if waiting else ""}{reset}<a href="/">Reload this page</a></div></section>'
    )


def _words(status: int | None, delay_ms: int) -> str:
    late = f", {delay_ms} ms late" if delay_ms else ""
    return (f"answers {status}" if status else "answers as usual") + late


def _group(title: str, presets: tuple[Preset, ...], configuration: Configuration) -> str:
    buttons = "".join(_button(preset, configuration) for preset in presets)
    return f'<section class="card"><h2>{escape(title)}</h2><ul class="presets">{buttons}</ul></section>'


def _button(preset: Preset, configuration: Configuration) -> str:
    on = preset.is_on(configuration)
    return (
        f'<li><form method="post" action="/_control/{preset.route}">'
        f'<button name="json" value="{escape(preset.post(configuration))}"{" class=on" if on else ""}>'
        f"{escape(preset.label)}{'<span class=state>is on, press to take back</span>' if on else ''}"
        f"<small>{escape(preset.about)}</small></button></form></li>"
    )


def _granted(state: State) -> str:
    rows = "".join(
        f"<tr><td>{escape(grant.account.name)}</td><td><code>{escape(grant.account.id)}</code></td>"
        f"<td>{escape(grant.scope) or 'Selling Partner API'}</td><td>{grant.refreshes}</td></tr>"
        for grant in list(state.grants.values())[: -CALLS_SHOWN - 1 : -1]
    )
    table = (
        '<div class="scroll" tabindex="0" role="region" aria-label="Grants">'
        "<table><thead><tr><th>Account</th><th>Id</th>"
        f"<th>For</th><th>Refreshes</th></tr></thead><tbody>{rows}</tbody></table></div>"
        if rows
        else '<p class="quiet">None yet. Authorize a connection, or make a refresh token here to paste into one.</p>'
    )
    count = f"{len(state.grants)} grant{'' if len(state.grants) == 1 else 's'}"
    return (
        f'<section class="card"><h2>{count}</h2>{table}<form method="post" action="/_control/grants">'
        f"{account_field('Authorize without the consent page, as', PARTNERS.values())}"
        "<button>Make a refresh token</button></form></section>"
    )


def _calls(state: State) -> str:
    rows = "".join(
        f"<tr><td>{call.at[11:23]}</td><td>{escape(call.method)}</td><td class=wide>{escape(call.path)}</td>"
        f"<td>{call.grant_type or ''}</td>"
        f"<td{' class=bad' if (call.status or 0) >= 400 else ''}>{call.status or 'waiting'}</td></tr>"
        for call in list(state.calls)[: -CALLS_SHOWN - 1 : -1]
    )
    if not rows:
        return '<section class="card"><h2>Last calls</h2><p class="quiet">None yet.</p></section>'
    return (
        '<section class="card"><h2>Last calls</h2>'
        '<div class="scroll" tabindex="0" role="region" aria-label="Last calls">'
        f"<table><caption>{len(state.calls)} since the last reset, newest first; times in UTC</caption>"
        "<thead><tr><th>At</th><th>Method</th><th>Path</th><th>Grant type</th><th>Status</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></div></section>"
    )


def _settings(configuration: Configuration) -> str:
    values = configuration.values()
    controls = "".join(
        _control(name, values[name], default, about, choices)
        for name, default, about, choices in Configuration.described()
    )
    return (
        '<section class="card"><details><summary>All settings</summary><form method="post" action="/_control/config">'
        f'<div class="settings">{controls}</div><div class="buttons"><button name="settings" value="1" class="primary">'
        "Save settings</button></div></form></details></section>"
    )


def _control(name: str, value: Any, default: object, about: str, choices: tuple[str, ...]) -> str:
    label = f'<label for="{name}"><code>{name}</code> <span class="quiet">{escape(about)}</span></label>'
    if isinstance(default, bool):
        checked = " checked" if value else ""
        return f'<div class="field check"><input type="checkbox" id="{name}" name="{name}"{checked}>{label}</div>'
    if choices:
        options = "".join(
            f'<option value="{choice}"{" selected" if choice == value else ""}>{choice or "(none)"}</option>'
            for choice in choices
        )
        control = f'<select id="{name}" name="{name}">{options}</select>'
    elif isinstance(default, tuple):
        control = f'<textarea id="{name}" name="{name}" rows="2">{escape(chr(10).join(value))}</textarea>'
    elif isinstance(default, str):
        control = f'<input id="{name}" name="{name}" value="{escape(value)}" required>'
    else:
        required = "" if default is None else " required"
        kind = 'min="0" step="any"' if default is None else 'min="0"'
        shown = "" if value is None else value
        control = f'<input type="number" {kind} id="{name}" name="{name}" value="{shown}"{required}>'
    return f'<div class="field">{label}{control}</div>'
