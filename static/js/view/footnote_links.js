/** Links between an answer and its footnotes; loaded with the first answer that has some. */

import { gettext } from "grokweb/base/i18n.js";

let count = 0; // of messages with notes on this page

/**
 * Gives the footnotes of one message their links, there and back.
 * @param {HTMLElement} root
 */
export function linkNotes(root) {
  const list = root.querySelector(":scope > .notes > ol");
  if (!list) return;
  const message = ++count;
  const address = (/** @type {string | number} */ number) => `note-${message}-${number}`;
  [...list.children].forEach((note, i) => {
    note.id = address(i + 1);
    const back = note.querySelector(":scope > .note-back");
    back?.setAttribute("aria-label", gettext("Back to the text"));
    back?.setAttribute("href", `#${note.id}-back`);
  });
  for (const link of root.querySelectorAll(".note-ref > a")) {
    link.setAttribute("href", `#${address(link.textContent)}`);
    const id = `${address(link.textContent)}-back`;
    if (!root.querySelector(`#${id}`)) link.id = id;
  }
  root.addEventListener("click", follow);
}

/**
 * Scrolls to the target without a new address, which would be an entry in the browser's history.
 * @param {MouseEvent} event
 */
function follow(event) {
  const link = event.target instanceof Element ? event.target.closest(".note-ref > a, .note-back") : null;
  const target = link && document.getElementById((link.getAttribute("href") ?? "").slice(1));
  if (!target) return;
  event.preventDefault();
  for (let at = target.closest("details"); at; at = at.parentElement?.closest("details") ?? null) {
    at.open = true;
  }
  target.scrollIntoView({ block: "center" });
  if (target.localName !== "a") target.tabIndex = -1;
  target.focus({ preventScroll: true });
}
