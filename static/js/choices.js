/** A menu of which one entry is chosen: each with a name, what it is, and how it is doing. */

import { el, icon } from "grokweb/dom.js";
import { showMenu } from "grokweb/menu.js";

/**
 * `choices` are { value, name, about, state, off }; `off`: shown and explained by `state`, and not to be chosen.
 * `more` are entries below a line: { name (of an icon), words, run }.
 */
export function openChoices(button, { label, choices, chosen, pick, more = [] }) {
  const menu = el("div", { class: "menu choices", popover: "auto", role: "menu", "aria-label": label });
  for (const each of choices) menu.append(entry(each, each.value === chosen, () => { menu.hidePopover(); pick(each.value); }));
  if (more.length) menu.append(el("hr"));
  for (const { name, words, run } of more) {
    const item = el("button", { type: "button", role: "menuitem", class: "item" }, icon(name), words);
    item.addEventListener("click", () => { menu.hidePopover(); run(); });
    menu.append(item);
  }
  showMenu(button, menu);
}

function entry({ name, about, state, off }, isChosen, run) {
  const lines = el("span", { class: "lines" }, el("span", { class: "what", dir: "auto" }, name));
  if (about) lines.append(el("span", { class: "hint", dir: "auto" }, about));
  if (state) lines.append(el("span", { class: "hint" }, state));
  const mark = icon("check");
  mark.classList.toggle("unseen", !isChosen);
  const item = el("button", { type: "button", role: "menuitemradio", class: "item", "aria-checked": String(isChosen), "aria-disabled": off ? "true" : null }, mark, lines);
  if (!off) item.addEventListener("click", run);
  return item;
}
