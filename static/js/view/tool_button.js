/** Buttons below a message. */

import { gettext } from "grokweb/base/i18n.js";
import { el, icon } from "grokweb/ui/dom.js";
import { openMenu } from "grokweb/ui/menu.js";

/**
 * Makes a button with an icon; `run(label)` gets the element with its words.
 * @param {string} name  of the icon @param {string} words @param {(label: HTMLElement) => void} run
 */
export function toolButton(name, words, run) {
  const label = el("span", {}, words);
  const button = el("button", { type: "button", title: words, "data-tool": name }, icon(name), label);
  button.addEventListener("click", () => run(label));
  return button;
}

/**
 * Makes the button that opens a menu with everything else; `items()` is asked whenever it opens.
 * @param {() => import("grokweb/ui/menu.js").MenuItem[]} items
 */
export function moreButton(items) {
  const button = toolButton("more", gettext("More"), () => openMenu(button, items()));
  button.setAttribute("aria-haspopup", "menu");
  button.setAttribute("aria-expanded", "false");
  return button;
}

/**
 * Makes a button of words alone.
 * @param {string} words @param {() => void} run
 */
export function textButton(words, run, kind = "text-button") {
  const button = el("button", { class: kind, type: "button" }, words);
  button.addEventListener("click", run);
  return button;
}
