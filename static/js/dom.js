/** The few things every room does with elements. Text from people and the model only ever becomes text nodes. */

import { gettext } from "grokweb/words.js";

/** el("button", {class: "x", type: "button", hidden: true}, "words", node, …) */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export function icon(name, size = "small") {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", `icon ${size}`);
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

export const find = (selector, root = document) => root.querySelector(selector);

/** Copies and says so in `label` for a moment. navigator.clipboard is missing on plain http addresses. */
export async function copyText(text, label) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = el("textarea", { class: "sr-only", "aria-hidden": "true", readonly: true });
    const before = document.activeElement;
    const host = before?.closest?.("dialog[open]") ?? document.body; // outside an open dialog all is inert
    area.value = text;
    host.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    before?.focus?.({ preventScroll: true });
  }
  if (!label || label.dataset.words) return;
  label.dataset.words = label.textContent;
  label.textContent = gettext("Copied");
  announceIn(label);
  setTimeout(() => {
    label.textContent = label.dataset.words;
    delete label.dataset.words;
  }, 1800);
}

function announceIn(label) {
  const region = find("[data-announce]");
  if (region) region.textContent = label.textContent;
}

/** A dialog of the page: opens, closes by its buttons, by Escape and by a click beside it. */
export function wireDialog(dialog) {
  for (const button of dialog.querySelectorAll("[data-close]")) button.addEventListener("click", () => dialog.close());
  let pressed = null; // a selection that ends outside is no click outside
  dialog.addEventListener("pointerdown", (event) => { pressed = event.target; });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog && pressed === dialog) dialog.close();
  });
  return dialog;
}

/** Shows or clears the line of an error inside a dialog or form. */
export function showError(root, words = "") {
  const line = find(".form-error", root);
  line.textContent = words;
  line.hidden = !words;
}
