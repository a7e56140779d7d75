/** A button beside each password that shows what is typed. Without scripts there is none. */

import { gettext } from "grokweb/base/i18n.js";
import { el } from "grokweb/ui/dom.js";

/** @param {HTMLInputElement} field */
function addButton(field) {
  const words = el("span", {}, gettext("Show"));
  const button = el("button", {
    class: "button plain", type: "button", "aria-pressed": "false", "aria-controls": field.id || null,
  }, words);
  const label = field.labels?.[0]?.textContent.trim();
  if (label) button.append(el("span", { class: "sr-only" }, ` ${label}`));
  const show = (/** @type {boolean} */ shown) => {
    field.type = shown ? "text" : "password";
    words.textContent = shown ? gettext("Hide") : gettext("Show");
    button.setAttribute("aria-pressed", String(shown));
  };
  const row = el("div", { class: "password-row" });
  field.replaceWith(row);
  row.append(field, button);
  field.setAttribute("spellcheck", "false");
  field.setAttribute("autocapitalize", "off");
  button.addEventListener("click", () => { show(field.type === "password"); field.focus(); });
  field.form?.addEventListener("submit", () => show(false)); // so that browsers offer to store it
}

/** @type {NodeListOf<HTMLInputElement>} */
const fields = document.querySelectorAll("input[type=password]");
for (const field of fields) addButton(field);
