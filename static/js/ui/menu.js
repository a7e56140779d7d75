/**
 * Menus: a popover beside its button, closed by a click elsewhere or Escape, walked with arrows and first
 * letters.
 *
 * @typedef {object} MenuItem
 * @property {string} name  of its icon
 * @property {string} words
 * @property {boolean} [danger]
 * @property {() => void} run
 */

import { folded } from "grokweb/base/text.js";
import { el, icon, UNMARKED } from "grokweb/ui/dom.js";

const GAP = 6;
const PAUSE = 800; // milliseconds after which letters begin another word
const FIELDS = "select, input"; // they use arrows and letters themselves

/**
 * Moves the open popover beside its button, inside the window.
 * @param {HTMLElement} menu @param {HTMLElement} button @param {boolean} above
 */
function moveBeside(menu, button, above) {
  const at = button.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = menu;
  const top = above || at.bottom + GAP + height > innerHeight ? at.top - GAP - height : at.bottom + GAP;
  menu.style.left = `${Math.max(8, Math.min(at.left, innerWidth - width - 8))}px`;
  menu.style.top = `${Math.max(8, top)}px`;
}

/** @param {HTMLElement} menu */
const stops = (menu) => {
  /** @type {NodeListOf<HTMLElement>} */
  const all = menu.querySelectorAll("a, button, select, input:checked");
  return [...all].filter((each) => each.offsetParent);
};

/** @param {KeyboardEvent} event */
const inField = (event) => event.target instanceof Element && event.target.matches(FIELDS);

const focused = () => /** @type {HTMLElement} */ (document.activeElement);


/** @param {KeyboardEvent} event @param {HTMLElement} menu */
function walk(event, menu) {
  const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
  const end = event.key === "Home" ? 0 : event.key === "End" ? -1 : undefined;
  if ((!step && end === undefined) || inField(event)) return;
  const all = stops(menu);
  if (end !== undefined) all.at(end)?.focus();
  else all.at((all.indexOf(focused()) + step) % all.length)?.focus();
  event.preventDefault();
}

/** Returns a key handler: letters lead to the next entry that begins with them, as in any menu. */
function typeAhead() {
  let typed = "";
  let at = 0;
  return (/** @type {KeyboardEvent} */ event, /** @type {HTMLElement} */ menu) => {
    const isLetter = event.key.length === 1 && event.key !== " ";
    const isCommand = event.ctrlKey || event.metaKey || event.altKey;
    if (!isLetter || isCommand || inField(event)) return;
    typed = event.timeStamp - at > PAUSE ? event.key : typed + event.key;
    at = event.timeStamp;
    const isOneLetter = [...typed].every((each) => each === typed[0]);
    const word = folded(isOneLetter ? typed[0] : typed); // one letter again: the next one
    const all = stops(menu).filter((each) => !each.matches(FIELDS));
    const here = all.indexOf(focused()) + (word.length === 1 ? 1 : 0);
    const inOrder = [...all.slice(here), ...all.slice(0, here)];
    const found = inOrder.find((each) => folded(each.textContent.trim()).startsWith(word));
    found?.focus();
    event.preventDefault();
  };
}

/** @param {HTMLElement} menu */
function wireKeys(menu) {
  const seek = typeAhead();
  menu.addEventListener("keydown", (event) => { walk(event, menu); seek(event, menu); });
}

/**
 * Wires a button with its popover, both already on the page. `opened()` is called whenever it has opened.
 * @param {HTMLElement} button
 * @param {HTMLElement} menu
 * @param {{ above?: boolean, opened?: () => void }} [options]
 */
export function wireMenu(button, menu, { above = false, opened = () => {} } = {}) {
  button.addEventListener("click", () => menu.togglePopover());
  menu.addEventListener("toggle", (event) => {
    const open = event.newState === "open";
    button.setAttribute("aria-expanded", String(open));
    if (!open) return;
    moveBeside(menu, button, above);
    opened();
    stops(menu)[0]?.focus(UNMARKED);
  });
  wireKeys(menu);
  // A click on the button of an open menu would close it (light dismiss) and open it again.
  button.addEventListener("pointerdown", () => {
    if (!menu.matches(":popover-open")) return;
    const close = (/** @type {Event} */ event) => { event.stopImmediatePropagation(); menu.hidePopover(); };
    button.addEventListener("click", close, { once: true, capture: true });
  });
}

/**
 * Makes a menu of these items and opens it.
 * @param {HTMLElement} button @param {MenuItem[]} items
 */
export function openMenu(button, items) {
  const menu = el("div", { class: "menu", popover: "auto", role: "menu" });
  for (const item of items) {
    const kind = item.danger ? "item danger" : "item";
    const attributes = { type: "button", role: "menuitem", class: kind };
    const entry = el("button", attributes, icon(item.name), item.words);
    entry.addEventListener("click", () => { menu.hidePopover(); item.run(); });
    menu.append(entry);
  }
  showMenu(button, menu);
}

/**
 * Opens a menu that is removed when it closes.
 * @param {HTMLElement} button @param {HTMLElement} menu
 */
export function showMenu(button, menu) {
  document.body.append(menu);
  button.setAttribute("aria-expanded", "true");
  wireKeys(menu);
  menu.addEventListener("toggle", (event) => {
    if (event.newState === "open") return;
    button.setAttribute("aria-expanded", "false");
    menu.remove();
  });
  menu.showPopover();
  moveBeside(menu, button, false);
  const chosen = /** @type {HTMLElement | null} */ (menu.querySelector('[aria-checked="true"]'));
  (chosen ?? stops(menu)[0])?.focus(UNMARKED);
}

/** Tells whether a menu or dialog is open above the page: Escape belongs to it. */
export const isSomethingOpen = () => document.querySelector(":popover-open, dialog[open]") !== null;
