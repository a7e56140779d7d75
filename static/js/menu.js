/** Menus: a popover beside its button, closed by a click elsewhere or Escape, walked with arrows and first letters. */

import { el, icon } from "grokweb/dom.js";
import { folded } from "grokweb/words.js";

const GAP = 6;
const PAUSE = 800; // milliseconds after which letters begin another word

/** Puts the open popover beside its button, inside the window. */
function beside(menu, button, above) {
  const at = button.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = menu;
  const top = above || at.bottom + GAP + height > innerHeight ? at.top - GAP - height : at.bottom + GAP;
  menu.style.left = `${Math.max(8, Math.min(at.left, innerWidth - width - 8))}px`;
  menu.style.top = `${Math.max(8, top)}px`;
}

const stops = (menu) => [...menu.querySelectorAll("a, button, select, input:checked")].filter((each) => each.offsetParent);

function walk(event, menu) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const end = { Home: 0, End: -1 }[event.key];
  if ((!step && end === undefined) || event.target.matches("select, input")) return;
  const all = stops(menu);
  if (end !== undefined) all.at(end)?.focus();
  else all.at((all.indexOf(document.activeElement) + step) % all.length)?.focus();
  event.preventDefault();
}

/** Letters lead to the next entry that begins with them, as in any menu. */
function seeker() {
  let typed = "";
  let at = 0;
  return (event, menu) => {
    const isLetter = event.key.length === 1 && event.key !== " " && !event.ctrlKey && !event.metaKey && !event.altKey;
    if (!isLetter || event.target.matches("select, input")) return;
    typed = event.timeStamp - at > PAUSE ? event.key : typed + event.key;
    at = event.timeStamp;
    const word = [...typed].every((each) => each === typed[0]) ? typed[0] : typed; // one letter again: the next one
    const all = stops(menu).filter((each) => !each.matches("select, input"));
    const here = all.indexOf(document.activeElement) + (word.length === 1 ? 1 : 0);
    const found = [...all.slice(here), ...all.slice(0, here)].find((each) => folded(each.textContent.trim()).startsWith(folded(word)));
    found?.focus();
    event.preventDefault();
  };
}

function wireKeys(menu) {
  const seek = seeker();
  menu.addEventListener("keydown", (event) => { walk(event, menu); seek(event, menu); });
}

/** A button with its popover, both already on the page. */
export function wireMenu(button, menu, { above = false, opened = () => {} } = {}) {
  button.addEventListener("click", () => menu.togglePopover());
  menu.addEventListener("toggle", (event) => {
    const open = event.newState === "open";
    button.setAttribute("aria-expanded", String(open));
    if (!open) return;
    beside(menu, button, above);
    opened();
    stops(menu)[0]?.focus({ focusVisible: false });
  });
  wireKeys(menu);
  // A click on the button of an open menu would close it (light dismiss) and open it again.
  button.addEventListener("pointerdown", () => {
    if (!menu.matches(":popover-open")) return;
    button.addEventListener("click", (event) => { event.stopImmediatePropagation(); menu.hidePopover(); }, { once: true, capture: true });
  });
}

/** A menu made on the spot: items are {name, words, danger, run}. */
export function openMenu(button, items) {
  const menu = el("div", { class: "menu", popover: "auto", role: "menu" });
  for (const item of items) {
    const entry = el("button", { type: "button", role: "menuitem", class: item.danger ? "item danger" : "item" }, icon(item.name), item.words);
    entry.addEventListener("click", () => { menu.hidePopover(); item.run(); });
    menu.append(entry);
  }
  showMenu(button, menu);
}

/** Opens a menu that was made for this once. */
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
  beside(menu, button, false);
  (menu.querySelector('[aria-checked="true"]') ?? stops(menu)[0])?.focus({ focusVisible: false });
}

/** Whether Escape belongs to something that is open above the page. */
export const somethingOpen = () => document.querySelector(":popover-open, dialog[open]") !== null;
