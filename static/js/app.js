// What every page does. Each behaviour hangs on a data attribute; every page works without it. The pane's own are in pane.js.
"use strict";

const on = (type, listener, options) => document.addEventListener(type, listener, options);
const find = (selector) => document.querySelector(selector);

// data-copy="#id": copy that field's value, or the text that stands there.
on("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const field = find(button.dataset.copy);
  const label = button.querySelector("[data-copied]");
  if (field.select) field.select();
  else getSelection().selectAllChildren(field);
  try {
    await navigator.clipboard.writeText(field.value ?? field.textContent);
  } catch {
    document.execCommand("copy"); // where the page is not on https there is no clipboard
  }
  const was = label.textContent;
  label.textContent = label.dataset.copied;
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
  const rows = event.target.closest("[data-rows]");
  if (event.target.closest("[data-row-add]")) {
    const row = rows.querySelector("template").content.cloneNode(true);
    const first = row.querySelector("input");
    rows.querySelector(".rows-list").append(row);
    first.focus();
  } else if (event.target.closest("[data-row-remove]")) {
    event.target.closest(".rows-row").remove();
    rows.querySelector("[data-row-add]").focus();
  }
});

// A field that is typed in again no longer says what was wrong with what stood there before.
on("input", ({ target }) => {
  if (target.getAttribute("aria-invalid") !== "true") return;
  target.removeAttribute("aria-invalid");
  target.closest(".field")?.querySelector(".errorlist")?.remove();
  const section = target.closest("details");
  if (section && !section.querySelector("[aria-invalid=true]")) section.querySelector("summary .badge")?.remove();
});

// data-filters="#list": narrow a list to the items whose data-words hold every word typed. Enter takes the first, arrows walk.
const shown = (list) => [...list.querySelectorAll(":scope > li:not([hidden]) a")];
on("input", ({ target }) => {
  if (!target.dataset.filters) return;
  const words = target.value.toLowerCase().split(/\s+/).filter(Boolean);
  const list = find(target.dataset.filters);
  for (const item of list.children) item.hidden = !words.every((word) => item.dataset.words.includes(word));
  const none = find("[data-none-found]");
  none.hidden = shown(list).length > 0;
  none.querySelector("[data-wanted]").textContent = target.value;
});
on("keydown", (event) => {
  const search = find("[data-filters]");
  const list = search && find(search.dataset.filters);
  if (!list || (event.target !== search && !list.contains(event.target))) return;
  const links = shown(list);
  const at = links.indexOf(event.target);
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key] ?? (at >= 0 && { ArrowRight: 1, ArrowLeft: -1 }[event.key]);
  if (step) {
    event.preventDefault();
    (links[Math.min(at + step, links.length - 1)] ?? search).focus();
  } else if (event.key === "Enter" && event.target === search) {
    event.preventDefault();
    links[0]?.click();
  }
});

// Toasts. `tell` says what went wrong where the eye is: in the drawer on top, else in the corner. Never twice the same.
on("click", (event) => event.target.closest("[data-dismiss]")?.closest(".toast").remove());

function tell(sentence) {
  const said = [...document.querySelectorAll("[data-trouble] p")].find((known) => known.textContent === sentence);
  if (said) return;
  hush();
  const toast = find("#trouble").content.firstElementChild.cloneNode(true);
  toast.querySelector("p").textContent = sentence;
  const foot = [...document.querySelectorAll("dialog.drawer[open] .pane-foot")].at(-1);
  if (foot) foot.before(toast);
  else find("#messages").append(toast);
}

function hush() {
  for (const toast of document.querySelectorAll("[data-trouble]")) toast.remove();
}

// What a failed request means. A page of ours says it in its own words.
function explain(status, html = "") {
  if (status === 404) return "This is no longer here: somebody deleted it. Close, and reload the page.";
  if (status >= 500 || status === 0) return "The server did not answer as it should. Nothing was changed. Try again in a moment.";
  const card = new DOMParser().parseFromString(html, "text/html").querySelector(".card");
  const words = [card?.querySelector("h1"), card?.querySelector("h1 + p")].filter(Boolean).map((part) => part.textContent.trim());
  return words.length ? words.join(". ") : "That did not work. Reload the page and try again.";
}

let leaving = false; // on purpose: nobody is asked about what was typed
const isSignIn = (address) => address && new URL(address, location).pathname === "/accounts/login/";

function goToSignIn() {
  leaving = true;
  location.assign(`/accounts/login/?next=${encodeURIComponent(location.pathname + location.search)}`);
}

on("htmx:beforeOnLoad", (event) => {
  const { xhr } = event.detail;
  if (xhr.getResponseHeader("HX-Redirect")) leaving = true;
  if (!isSignIn(xhr.responseURL)) return;
  event.preventDefault(); // the session has ended, and the sign-in page is no part of this one
  goToSignIn();
});
on("htmx:responseError", ({ detail }) => tell(explain(detail.xhr.status, detail.xhr.responseText)));
on("htmx:sendError", () => tell("The server cannot be reached. Nothing was changed. Check your network and try again."));
on("htmx:afterOnLoad", ({ detail }) => detail.xhr.status < 400 && hush());
on("submit", (event) => (leaving = !event.defaultPrevented));

// data-file: a textarea that also takes a file. It is read into the field here; nothing is sent before the form is.
function offerFiles() {
  for (const area of document.querySelectorAll("textarea[data-file]:not([data-offered])")) {
    area.dataset.offered = "1";
    const chooser = Object.assign(document.createElement("input"), { type: "file", accept: ".pem,.crt,.cer,.key" });
    chooser.setAttribute("aria-label", `File for ${document.querySelector(`label[for="${area.id}"]`)?.textContent ?? "this field"}`);
    chooser.addEventListener("change", async () => {
      if (!chooser.files.length) return;
      area.value = await chooser.files[0].text();
      area.dispatchEvent(new Event("input", { bubbles: true }));
      area.dispatchEvent(new Event("change", { bubbles: true }));
    });
    area.after(chooser);
  }
}
on("htmx:afterSettle", offerFiles);
offerFiles();
