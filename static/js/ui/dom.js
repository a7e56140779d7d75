/** Elements: making and finding them. Text from people and the model only ever becomes text nodes. */

/** @import { Found } from "grokweb/ui/selectors.js" */

import { gettext } from "grokweb/base/i18n.js";

/**
 * Makes an element: el("button", { class: "x", type: "button", hidden: true }, "words", node, …).
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string | number | boolean | null | undefined>} attributes  true: present; false,
 *   null: not
 * @param {...(Node | string | null | undefined)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** @param {string} name  of a symbol in templates/_icons.html */
export function icon(name, size = "small") {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", `icon ${size}`);
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/**
 * Returns the first element that fits, or null.
 * @template {string} S
 * @param {S} selector @param {ParentNode} [root]
 * @returns {Found<S> | null}
 */
export const findOptional = (selector, root = document) =>
  /** @type {Found<S> | null} */ (root.querySelector(selector));

/**
 * Returns the first element that fits. Throws an Error where there is none: the template and the module
 * disagree.
 * @template {string} S
 * @param {S} selector @param {ParentNode} [root]
 * @returns {Found<S>}
 */
export function find(selector, root = document) {
  const found = findOptional(selector, root);
  if (!found) throw new Error(`no element fits ${selector}`);
  return found;
}

/**
 * Makes the button in the corner of a dialog; wireDialog() makes it work.
 * @param {string} [size]  of its icon
 */
export function closeButton(size, kind = "icon-button close") {
  const attributes = { class: kind, type: "button", "data-close": true, "aria-label": gettext("Close") };
  return el("button", attributes, icon("close", size));
}

/**
 * Makes a dialog of the page close by its buttons, by Escape and by a click beside it.
 * @param {HTMLDialogElement} dialog
 */
export function wireDialog(dialog) {
  for (const button of dialog.querySelectorAll("[data-close]")) {
    button.addEventListener("click", () => dialog.close());
  }
  /** @type {EventTarget | null} */
  let pressed = null; // a selection that ends outside is no click outside
  dialog.addEventListener("pointerdown", (event) => { pressed = event.target; });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog && pressed === dialog) dialog.close();
  });
  return dialog;
}

/** Options of focus() where the reader does not need to see which element has it. */
export const UNMARKED = /** @type {FocusOptions} */ ({ focusVisible: false });

/**
 * Shows the error of a dialog or form in its line, or clears it.
 * @param {ParentNode} root
 */
export function showError(root, words = "") {
  const line = find(".form-error", root);
  line.textContent = words;
  line.hidden = !words;
}

/**
 * Returns the value of a field, or of the chosen one of several radio buttons.
 * @param {HTMLFormElement} form @param {string} name
 */
export const valueOf = (form, name) =>
  /** @type {RadioNodeList | HTMLInputElement} */ (form.elements.namedItem(name)).value;

/**
 * Returns the words of a caught error.
 * @param {unknown} error
 */
export const wordsOf = (error) => (error instanceof Error ? error.message : String(error));
