// The whole of Gatehouse's script. Every behaviour hangs on a data attribute; every page works without it.
"use strict";

const on = (type, listener, options) => document.addEventListener(type, listener, options);
const find = (selector) => document.querySelector(selector);

// data-copy="#id": copy that element's text.
on("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = find(button.dataset.copy);
  await navigator.clipboard.writeText(source.value ?? source.textContent);
  const label = button.lastChild;
  const was = label.textContent;
  label.textContent = " Copied";
  setTimeout(() => (label.textContent = was), 1500);
});

// data-fills="field" data-value="…": one-click values of a field in the same form.
on("click", (event) => {
  const chip = event.target.closest("[data-fills]");
  if (!chip) return;
  event.preventDefault();
  const field = chip.form.elements[chip.dataset.fills];
  field.value = chip.dataset.value;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  field.dispatchEvent(new Event("change", { bubbles: true }));
  field.focus();
});

// data-row-add, data-row-remove: rows of names and values.
on("click", (event) => {
  const add = event.target.closest("[data-row-add]");
  if (add) {
    const rows = add.closest("[data-rows]");
    const row = rows.querySelector("template").content.cloneNode(true);
    const first = row.querySelector("input");
    rows.querySelector(".rows-list").append(row);
    first.focus();
  }
  event.target.closest("[data-row-remove]")?.closest(".rows-row").remove();
});

on("click", (event) => event.target.closest("[data-dismiss]")?.closest(".toast").remove());

// data-filters="#list": narrow a list to the items whose data-words hold every word typed.
on("input", (event) => {
  if (!event.target.dataset.filters) return;
  const words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const item of find(event.target.dataset.filters).children) {
    item.hidden = !words.every((word) => item.dataset.words.includes(word));
    shown += !item.hidden;
  }
  const none = find("[data-none-found]");
  none.hidden = shown > 0;
  none.querySelector("[data-wanted]").textContent = event.target.value;
});
on("keydown", (event) => {
  if (event.key === "Enter" && event.target.dataset.filters) {
    event.preventDefault();
    find(`${event.target.dataset.filters} > li:not([hidden]) a`)?.click();
  }
});

// Drawers: what htmx puts into a <dialog class="drawer"> opens it; Close, Escape and the back button leave it.
const drawerOf = (element) => element?.closest("dialog.drawer");
const typed = (form) => [...new FormData(form)].filter(([name]) => name !== "in_popup").map(String).join("\n");
const pristine = new WeakMap();

function watch(form) {
  if (form && !pristine.has(form)) pristine.set(form, typed(form));
}

function isEdited(form) {
  return form && (form.dataset.edited === "1" || (pristine.has(form) && pristine.get(form) !== typed(form)));
}

function settle() {
  for (const form of document.querySelectorAll("[data-pane], [data-client]")) watch(form);
}

on("htmx:afterSwap", (event) => {
  const dialog = event.detail.target;
  if (dialog.matches?.("dialog.drawer") && !dialog.open) {
    dialog.showModal();
    dialog.querySelector("input:not([type=hidden]), select")?.focus();
  }
});

async function leave(form, go) {
  if (!isEdited(form)) return go();
  const question = find("#confirm-close");
  question.returnValue = "keep";
  question.showModal();
  question.addEventListener("close", () => question.returnValue === "discard" && go(), { once: true });
}

function closeDrawer(dialog) {
  const form = dialog.querySelector("form");
  leave(form, () => {
    dialog.close();
    dialog.replaceChildren();
    if (dialog.id === "drawer") location.assign(find("[data-home]")?.dataset.home ?? "/connections/");
  });
}

on("click", (event) => {
  const close = event.target.closest("[data-close]");
  if (!close) return;
  const dialog = drawerOf(close);
  event.preventDefault();
  if (dialog) closeDrawer(dialog);
  else leave(close.closest("form"), () => location.assign(close.href));
});
on("cancel", (event) => {
  if (event.target.matches("dialog.drawer")) {
    event.preventDefault();
    closeDrawer(event.target);
  }
}, true);
addEventListener("beforeunload", (event) => {
  const form = find("[data-pane]");
  if (form && !leaving && isEdited(form)) event.preventDefault();
});
let leaving = false;
on("submit", () => (leaving = true), true);
on("htmx:beforeRequest", () => (leaving = true));
on("htmx:afterRequest", () => setTimeout(() => (leaving = false), 0));

// A pane that is drawn anew keeps its scroll position, its open sections and the secrets that were typed.
let kept = null;
on("htmx:beforeSwap", (event) => {
  const form = event.detail.target.closest?.("[data-pane]");
  if (!form || event.detail.target !== form) return;
  kept = {
    scroll: form.querySelector(".pane-body").scrollTop,
    open: new Map([...form.querySelectorAll("details")].map((part) => [part.querySelector(".section-title").textContent, part.open])),
    secrets: event.detail.xhr.responseURL.endsWith("/fields/") ? [...form.querySelectorAll("input[type=password]")].map((field) => [field.name, field.value]) : [],
    stays: event.detail.xhr.responseURL.endsWith("/fields/"),
    edited: event.detail.xhr.responseURL.endsWith("/fields/") || event.detail.xhr.status >= 400,
  };
});
on("htmx:afterSettle", () => {
  const form = find("[data-pane]");
  if (kept && form) {
    form.querySelector(".pane-body").scrollTop = kept.stays ? kept.scroll : 0;
    for (const part of form.querySelectorAll("details")) part.open ||= kept.open.get(part.querySelector(".section-title").textContent) ?? false;
    for (const [name, value] of kept.secrets) if (value && form.elements[name]) form.elements[name].value = value;
    if (kept.edited) form.dataset.edited = "1";
    const alert = form.querySelector(".pane-body > [role=alert], .pane-body [aria-invalid=true]");
    if (alert && !form.contains(document.activeElement)) alert.scrollIntoView({ block: "center" });
    form.querySelector("[aria-invalid=true]")?.focus();
  }
  kept = null;
  settle();
});
settle();

// The client drawer over the pane: + and the pencil.
on("click", (event) => {
  const button = event.target.closest("[data-opens-client]");
  if (!button || !find("#client-drawer")) return;
  event.preventDefault();
  const form = button.form;
  let address = button.dataset.opensClient;
  if (button.value === "edit") {
    const chosen = form.elements.oauth_client.value;
    if (!chosen) return form.elements.oauth_client.focus();
    address += `${chosen}/`;
  }
  const query = new URLSearchParams({ application: form.elements.application.value, token_url: form.elements.token_url?.value ?? "" });
  htmx.ajax("GET", `${address.split("?")[0]}?${query}`, { target: "#client-drawer", swap: "innerHTML" });
});
on("gatehouse:client", (event) => {
  const { id, name } = event.detail;
  const drawer = find("#client-drawer");
  if (!drawer?.open) return location.assign("/clients/");
  drawer.close();
  drawer.replaceChildren();
  const select = find("[data-pane] select[name=oauth_client]");
  let option = [...select.options].find((known) => known.value === id);
  if (!option) select.append((option = new Option("", id)));
  option.textContent = name;
  select.value = id;
  select.focus();
});

// Save & authorize: the provider's page opens in a window of its own, in this tab where windows are blocked.
let consent = null;
on("submit", (event) => {
  const form = event.target;
  const submitter = event.submitter;
  if (!form.matches("[data-pane]") || !submitter?.hasAttribute("data-authorize")) return;
  const pasted = form.elements.refresh_token?.value.trim();
  consent = pasted ? null : window.open("about:blank", "gatehouse-consent", "popup,width=720,height=820");
  form.elements.in_popup.value = consent ? "1" : "";
  if (submitter.formAction && submitter.hasAttribute("formaction")) {
    event.preventDefault();
    event.stopPropagation();
    htmx.ajax("POST", submitter.getAttribute("formaction"), { source: form, target: "#pane", swap: "outerHTML", values: { in_popup: form.elements.in_popup.value } });
  }
}, true);
on("gatehouse:authorize", (event) => {
  const url = event.detail.url;
  if (consent && !consent.closed) consent.location.href = url;
  else location.assign(url);
  consent = null;
});
on("htmx:afterSettle", () => setTimeout(() => {
  // No address came: the form was refused, so the empty window goes again.
  if (consent && find("[data-pane] [role=alert]")) {
    consent.close();
    consent = null;
  }
}, 50));

// The consent window says that it is back; the page it came from asks the server what became of it.
const channel = new BroadcastChannel("gatehouse");
channel.addEventListener("message", () => document.body.dispatchEvent(new Event("gatehouse:returned")));
if (find("[data-returned]")) {
  channel.postMessage("returned");
  if (find("[data-closes-window]")) setTimeout(() => window.close(), 600);
}
on("htmx:afterSwap", (event) => {
  if (find("[data-authorized]") && event.detail.requestConfig?.path.endsWith("/authorize/") && !event.detail.requestConfig.verb.match(/post/i)) {
    find("[data-pane] [data-steps]")?.click();
  }
});

// data-steps="#place": run a test and show each step as it comes. Cancel stops it.
let running = null;
on("submit", (event) => {
  const button = event.submitter;
  if (!button?.dataset.steps) return;
  event.preventDefault();
  event.stopPropagation();
  test(event.target, button);
}, true);

async function test(form, button) {
  running?.abort();
  const control = (running = new AbortController());
  const place = find(button.dataset.steps);
  const steps = document.createElement("div");
  const progress = document.createElement("div");
  progress.className = "waiting";
  progress.innerHTML = '<p role="status">Testing…</p><div class="row"><button class="button" type="button">Cancel</button></div>';
  progress.querySelector("button").addEventListener("click", () => control.abort());
  place.replaceChildren(steps, progress);
  place.scrollIntoView({ block: "nearest" });
  button.setAttribute("aria-busy", "true");
  try {
    const response = await fetch(button.formAction, { method: "POST", body: new FormData(form), headers: { "X-Steps": "1" }, signal: control.signal });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let html = "";
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      html += part.value;
      steps.innerHTML = html;
      place.scrollIntoView({ block: "nearest" });
    }
  } catch (error) {
    steps.insertAdjacentHTML("beforeend", control.signal.aborted ? "<p>Cancelled. The steps above are done, the others were not tried.</p>" : "<p>The server did not answer. Try again.</p>");
  } finally {
    progress.remove();
    button.removeAttribute("aria-busy");
    if (running === control) running = null;
  }
}
