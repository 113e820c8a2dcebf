// The pane and its drawers: opening and closing, redrawing, authorizing, testing. See app.js for what it leans on.
"use strict";

// Drawers: what htmx puts into a <dialog class="drawer"> opens it; Close, Escape and the back button leave it.
const typed = (form) => [...new FormData(form)].filter(([name]) => name !== "in_popup").map(String).join("\n");
const pristine = new WeakMap();
const isEdited = (form) => form && (form.dataset.edited === "1" || (pristine.has(form) && pristine.get(form) !== typed(form)));

function settle() {
  for (const form of document.querySelectorAll("[data-pane], [data-client]")) if (!pristine.has(form)) pristine.set(form, typed(form));
}

on("htmx:afterSwap", ({ detail: { target } }) => {
  if (!target?.matches?.("dialog.drawer") || target.open) return;
  target.showModal();
  target.querySelector("[data-saved] h1, input:not([type=hidden]), select")?.focus();
});

function leave(form, go) {
  if (!isEdited(form)) return go();
  const question = find("#confirm-close");
  question.returnValue = "keep";
  question.showModal();
  question.addEventListener("close", () => question.returnValue === "discard" && go(), { once: true });
}

function closeDrawer(dialog) {
  leave(dialog.querySelector("form"), () => {
    dialog.close();
    dialog.replaceChildren();
    if (dialog.id === "drawer") location.assign("/connections/");
  });
}

on("click", (event) => {
  const close = event.target.closest("[data-close]");
  if (!close) return;
  const dialog = close.closest("dialog.drawer");
  event.preventDefault();
  if (dialog) closeDrawer(dialog);
  else leave(close.closest("form"), () => {
    leaving = true;
    location.assign(close.href);
  });
});
on("cancel", (event) => {
  if (!event.target.matches("dialog.drawer")) return;
  event.preventDefault();
  closeDrawer(event.target);
}, true);
on("close", ({ target }) => {
  // Escape pressed twice closes a dialog whatever the page says; what was typed in it is asked about all the same.
  if (!target.matches("dialog.drawer") || !target.firstElementChild) return;
  target.showModal();
  closeDrawer(target);
}, true);
addEventListener("beforeunload", (event) => {
  if (!leaving && [...document.querySelectorAll("[data-pane], [data-client]")].some(isEdited)) event.preventDefault();
});

// Of two requests of a pane the later one counts (hx-sync); only one that saves is never broken off.
on("htmx:confirm", (event) => {
  const form = event.target.closest("[data-pane]");
  if (form?.matches(".htmx-request") && event.detail.path.endsWith("/fields/")) event.preventDefault();
});

// A pane that is drawn anew keeps the control in use where it is on the screen, its open sections, and what was typed since it was asked for: the answer
// does not know that, and secrets it never knows.
let kept = null;
const state = (field) => (field.type === "checkbox" ? field.checked : field.value);
const fields = (form) => [...form.elements].filter((field) => field.name && !/hidden|submit|button/.test(field.type));
const places = (form) => fields(form).map((field, at, all) => [field, `${field.name} ${all.slice(0, at).filter(({ name }) => name === field.name).length}`]);
const sent = new WeakMap();
on("htmx:beforeRequest", ({ detail: { requestConfig } }) => {
  const form = requestConfig.path.endsWith("/fields/") && requestConfig.elt.closest("[data-pane]");
  if (form) for (const field of fields(form)) sent.set(field, state(field));
});
const title = (section) => section.querySelector(".section-title").textContent;
const scroller = (form) => (form.closest("dialog") ? form.querySelector(".pane-body") : document.scrollingElement);
on("htmx:beforeSwap", ({ detail: { target, xhr } }) => {
  if (!target.matches?.("[data-pane]")) return;
  const stays = xhr.responseURL.endsWith("/fields/");
  kept = {
    stays,
    scroll: scroller(target).scrollTop,
    top: target.querySelector(":focus")?.getBoundingClientRect().top,
    open: new Map([...target.querySelectorAll("details")].map((section) => [title(section), section.open])),
    typed: new Map(stays ? places(target).filter(([field]) => field.type === "password" || "secret" in field.dataset || sent.get(field) !== state(field)).map(([field, place]) => [place, state(field)]) : []),
    result: stays && target.querySelector("#test-result"), // a test may be running
    isEdited: stays || xhr.status >= 400,
  };
});
on("htmx:afterSwap", () => {
  const form = find("[data-pane]");
  if (kept && form) {
    for (const section of form.querySelectorAll("details")) section.open ||= kept.open.get(title(section)) ?? false;
    for (const [field, place] of places(form)) if (kept.typed.has(place)) field[field.type === "checkbox" ? "checked" : "value"] = kept.typed.get(place);
    if (kept.result) form.querySelector("#test-result").replaceWith(kept.result);
    if (kept.isEdited) form.dataset.edited = "1";
    scroller(form).scrollTop = kept.stays ? kept.scroll : 0;
    if (kept.stays && kept.top) scroller(form).scrollTop += (form.querySelector(":focus")?.getBoundingClientRect().top ?? kept.top) - kept.top;
    if (!kept.stays) (form.querySelector("[aria-invalid=true]") ?? form.querySelector("h1")).focus();
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
  const { oauth_client: chosen, application, token_url: tokenUrl } = button.form.elements;
  if (button.value === "edit" && !chosen.value) return chosen.focus();
  const address = button.dataset.opensClient.split("?")[0] + (button.value === "edit" ? `${chosen.value}/` : "");
  const query = new URLSearchParams({ application: application.value, token_url: tokenUrl?.value ?? "" });
  htmx.ajax("GET", `${address}?${query}`, { target: "#client-drawer", swap: "innerHTML" });
});
on("gatehouse:client", ({ detail: { id, name } }) => {
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
  select.dispatchEvent(new Event("input", { bubbles: true }));
  select.dispatchEvent(new Event("change", { bubbles: true }));
});

// Save & authorize: the provider's page opens in a window of its own, in this tab where windows are blocked.
let consent = null;
on("submit", (event) => {
  const { target: form, submitter } = event;
  if (!form.matches("[data-pane]") || !submitter?.hasAttribute("data-authorize")) return;
  const isPasted = Boolean(form.elements.refresh_token?.value.trim());
  consent = isPasted ? null : window.open("about:blank", "gatehouse-consent", "popup,width=720,height=820");
  form.elements.in_popup.value = consent ? "1" : "";
  if (!submitter.hasAttribute("formaction")) return;
  event.preventDefault();
  event.stopPropagation();
  htmx.ajax("POST", submitter.getAttribute("formaction"), { source: form, target: "#pane", swap: "outerHTML", values: { in_popup: form.elements.in_popup.value } });
}, true);
on("htmx:afterRequest", ({ detail }) => {
  // No address is coming: the form was refused or nobody answered, so the empty window goes again.
  const isOurs = detail.requestConfig.verb === "post" && detail.requestConfig.elt.matches("[data-pane]");
  if (!isOurs || detail.xhr.getResponseHeader("HX-Trigger-After-Settle")?.includes("gatehouse:authorize")) return;
  consent?.close();
  consent = null;
});
on("gatehouse:authorize", ({ detail: { url } }) => {
  if (consent && !consent.closed) consent.location.href = url;
  else location.assign(url);
  consent = null;
});

// The consent window says that it is back; the page it came from asks the server what became of it, and tests.
const channel = new BroadcastChannel("gatehouse");
channel.addEventListener("message", () => document.body.dispatchEvent(new Event("gatehouse:returned")));
if (find("[data-returned]")) {
  channel.postMessage("returned");
  if (find("[data-closes-window]")) setTimeout(() => window.close(), 600);
}
on("click", (event) => event.target.closest("[data-close-window]") && window.close());
on("htmx:beforeSwap", ({ detail: { target, requestConfig } }) => {
  if (target.id === "authorization") find("#pane")?.toggleAttribute("data-awaits", requestConfig.verb === "get");
});
on("htmx:afterSettle", () => {
  const pane = find("#pane[data-awaits]");
  const outcome = pane?.querySelector("#authorization > :not(.waiting)");
  if (!outcome) return;
  pane.removeAttribute("data-awaits");
  outcome.scrollIntoView({ block: "nearest" });
  if (outcome.matches("[data-authorized]")) pane.querySelector("[data-steps]")?.click();
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
  const progress = find("#testing").content.firstElementChild.cloneNode(true);
  progress.querySelector("button").addEventListener("click", () => control.abort());
  place.replaceChildren(steps, progress);
  place.scrollIntoView({ block: "nearest" });
  button.setAttribute("aria-busy", "true");
  try {
    const response = await fetch(button.formAction, { method: "POST", body: new FormData(form), headers: { "X-Steps": "1" }, signal: control.signal });
    if (response.redirected && isSignIn(response.url)) return goToSignIn();
    if (!response.ok && response.status !== 422) return tell(explain(response.status, await response.text()));
    hush();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let html = "";
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      html += part.value;
      steps.innerHTML = html;
      place.scrollIntoView({ block: "nearest" });
    }
    const facts = steps.querySelector("#facts"); // how the connection stands after the test
    if (facts) find(".pane-top > #facts")?.replaceWith(facts);
  } catch (error) {
    if (control.signal.aborted) steps.append(find("#test-cancelled").content.cloneNode(true));
    else tell("The server stopped answering in the middle of the test. Try again.");
  } finally {
    progress.remove();
    button.removeAttribute("aria-busy");
    if (running === control) running = null;
  }
}
