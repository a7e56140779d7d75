/** The sheet of keyboard shortcuts. */

import { gettext } from "grokweb/base/i18n.js";
import { closeButton, el, wireDialog } from "grokweb/ui/dom.js";
import { enterSends } from "grokweb/ui/enter_key.js";
import { isMac } from "grokweb/ui/keys.js";

const main = isMac ? "⌘" : gettext("Ctrl");
const shift = isMac ? "⇧" : gettext("Shift");
/** @type {HTMLDialogElement | null} */
let sheet = null;

/** @returns {[keys: string[], words: string][]} */
const rows = () => [
  [[main, "K"], gettext("Search, and everything else")],
  [[main, shift, "O"], gettext("New chat")],
  [enterSends() ? [gettext("Enter")] : [main, gettext("Enter")], gettext("Send the message")],
  [enterSends() ? [shift, gettext("Enter")] : [gettext("Enter")], gettext("New line in the message")],
  [[gettext("Esc")], gettext("Stop the reply, or close what is open")],
  [["?"], gettext("Keyboard shortcuts (when not typing)")],
  [[main, "/"], gettext("Keyboard shortcuts (always)")],
];

function build() {
  const lines = rows().map(([keys, words]) =>
    el("div", {}, el("dt", {}, words), el("dd", {}, ...keys.map((key) => el("kbd", {}, key)))));
  const heading = el("h2", { id: "shortcuts-title" }, gettext("Keyboard shortcuts"));
  const content = el("div", { class: "stack" }, heading, el("dl", { class: "shortcuts" }, ...lines));
  const dialog = wireDialog(el("dialog", { "aria-labelledby": "shortcuts-title" }, closeButton(), content));
  document.body.append(dialog);
  return dialog;
}

export function open() {
  sheet ??= build();
  if (!sheet.open) sheet.showModal();
}
