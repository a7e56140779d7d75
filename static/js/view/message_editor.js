/** Edits a person's message in its place. */

import { gettext } from "grokweb/base/i18n.js";
import { isBlank } from "grokweb/base/text.js";
import { el } from "grokweb/ui/dom.js";
import { isSendKey } from "grokweb/ui/enter_key.js";

/**
 * Puts a box with `text` in the place of `body`. `send(text)` gets what it became, `closed()` is called at
 * the end.
 * @param {HTMLElement} body @param {string} text
 * @param {{ send: (text: string) => void, closed: () => void }} handlers
 */
export function editInPlace(body, text, { send, closed }) {
  const area = el("textarea", { rows: "1", dir: "auto", "aria-label": gettext("Your message") });
  area.value = text;
  const submit = el("button", { class: "button primary", type: "submit" }, gettext("Send"));
  const cancel = el("button", { class: "button plain", type: "button" }, gettext("Cancel"));
  const hint = el("p", { class: "hint" }, gettext("The message and its answers so far stay as another version."));
  const form = el("form", { class: "edit" }, area, hint, el("div", { class: "actions" }, cancel, submit));
  const fit = () => {
    area.style.height = "auto";
    area.style.height = `${area.scrollHeight}px`;
    submit.disabled = isBlank(area.value) || area.value.trim() === text.trim();
  };
  const close = () => { form.replaceWith(body); closed(); };
  area.addEventListener("input", fit);
  cancel.addEventListener("click", close);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (submit.disabled) return;
    close();
    send(area.value);
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { event.stopPropagation(); event.preventDefault(); close(); }
    if (event.target === area && isSendKey(event)) { event.preventDefault(); form.requestSubmit(); }
  });
  body.replaceWith(form);
  fit();
  area.focus();
  area.setSelectionRange(area.value.length, area.value.length);
}
