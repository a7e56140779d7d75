/**
 * A menu of which one entry is chosen: each with a name, a description and a line about its state.
 *
 * @import { MenuItem } from "grokweb/ui/menu.js"
 * @typedef {object} Choice
 * @property {any} value
 * @property {string} name
 * @property {string} [about]
 * @property {string} [state]
 * @property {boolean} [off]  shown and explained by `state`, and not to be chosen
 */

import { el, icon } from "grokweb/ui/dom.js";
import { showMenu } from "grokweb/ui/menu.js";

/**
 * Opens the menu beside `button`; `pick(value)` gets what is chosen, `more` are entries below a line.
 * @param {HTMLElement} button
 * @param {{ label: string, choices: Choice[], chosen?: any, pick: (value: any) => void, more?: MenuItem[] }}
 *   menu
 */
export function openChoices(button, { label, choices, chosen, pick, more = [] }) {
  const menu = el("div", { class: "menu choices", popover: "auto", role: "menu", "aria-label": label });
  for (const each of choices) {
    menu.append(entry(each, each.value === chosen, () => { menu.hidePopover(); pick(each.value); }));
  }
  if (more.length) menu.append(el("hr"));
  for (const { name, words, run } of more) {
    const item = el("button", { type: "button", role: "menuitem", class: "item" }, icon(name), words);
    item.addEventListener("click", () => { menu.hidePopover(); run(); });
    menu.append(item);
  }
  showMenu(button, menu);
}

/** @param {Choice} choice @param {boolean} isChosen @param {() => void} run */
function entry({ name, about, state, off }, isChosen, run) {
  const lines = el("span", { class: "lines" }, el("span", { class: "what", dir: "auto" }, name));
  if (about) lines.append(el("span", { class: "hint", dir: "auto" }, about));
  if (state) lines.append(el("span", { class: "hint" }, state));
  const mark = icon("check");
  mark.classList.toggle("unseen", !isChosen);
  const attributes = {
    type: "button", role: "menuitemradio", class: "item", "aria-checked": String(isChosen),
    "aria-disabled": off ? "true" : null,
  };
  const item = el("button", attributes, mark, lines);
  if (!off) item.addEventListener("click", run);
  return item;
}
