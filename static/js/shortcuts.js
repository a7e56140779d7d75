/** The sheet of keyboard shortcuts. */

import { el, icon, wireDialog } from "grokweb/dom.js";
import { isMac } from "grokweb/find.js";
import { gettext } from "grokweb/words.js";

const main = isMac ? "⌘" : gettext("Ctrl");
const shift = isMac ? "⇧" : gettext("Shift");
let sheet = null;

const rows = () => [
  [[main, "K"], gettext("Search, and everything else")],
  [[main, shift, "O"], gettext("New chat")],
  [[gettext("Enter")], gettext("Send the message")],
  [[shift, gettext("Enter")], gettext("New line in the message")],
  [[gettext("Esc")], gettext("Stop the reply, or close what is open")],
  [["?"], gettext("Keyboard shortcuts (when not typing)")],
  [[main, "/"], gettext("Keyboard shortcuts (always)")],
];

function build() {
  const close = el("button", { class: "icon-button close", type: "button", "data-close": true, "aria-label": gettext("Close") }, icon("close"));
  const list = el("dl", { class: "shortcuts" }, ...rows().map(([keys, words]) =>
    el("div", {}, el("dt", {}, words), el("dd", {}, ...keys.map((key) => el("kbd", {}, key))))));
  const dialog = wireDialog(el("dialog", { "aria-labelledby": "shortcuts-title" },
    close, el("div", { class: "stack" }, el("h2", { id: "shortcuts-title" }, gettext("Keyboard shortcuts")), list)));
  document.body.append(dialog);
  return dialog;
}

export function open() {
  sheet ??= build();
  if (!sheet.open) sheet.showModal();
}
