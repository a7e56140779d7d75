/** Copies text to the clipboard, with HTML beside it where there is some. navigator.clipboard needs https. */

import { gettext } from "grokweb/base/i18n.js";
import { el, findOptional } from "grokweb/ui/dom.js";

const SHOWN_MS = 1800;

/**
 * Copies `text` and says so in `label` for a moment. Word processors paste `html`.
 * @param {string} text @param {HTMLElement | null} [label]
 */
export async function copyText(text, label, html = "") {
  try {
    await write(text, html);
  } catch {
    copyByEvent(text, html);
  }
  if (!label || label.dataset.words) return;
  label.dataset.words = label.textContent;
  const use = label.parentElement?.querySelector("use");
  const before = use?.getAttribute("href") ?? "";
  use?.setAttribute("href", "#i-check"); // on a phone the label is not seen
  label.textContent = gettext("Copied");
  const region = findOptional("[data-announce]");
  if (region) region.textContent = label.textContent;
  setTimeout(() => {
    label.textContent = label.dataset.words ?? "";
    delete label.dataset.words;
    use?.setAttribute("href", before);
  }, SHOWN_MS);
}

/** @param {string} text @param {string} html */
function write(text, html) {
  if (!html || !globalThis.ClipboardItem) return navigator.clipboard.writeText(text);
  const parts = { "text/plain": text, "text/html": html };
  const blobs = Object.entries(parts).map(([type, words]) => [type, new Blob([words], { type })]);
  return navigator.clipboard.write([new ClipboardItem(Object.fromEntries(blobs))]);
}

/**
 * Lets the browser copy a selected box; the handler of its event replaces what is copied.
 * @param {string} text @param {string} html
 */
function copyByEvent(text, html) {
  const area = el("textarea", { class: "sr-only", "aria-hidden": "true", readonly: true });
  const before = /** @type {HTMLElement | null} */ (document.activeElement);
  const host = before?.closest?.("dialog[open]") ?? document.body; // outside an open dialog all is inert
  const put = (/** @type {ClipboardEvent} */ event) => {
    event.clipboardData?.setData("text/plain", text);
    if (html) event.clipboardData?.setData("text/html", html);
    event.preventDefault();
    event.stopImmediatePropagation();
  };
  area.value = text;
  host.append(area);
  area.select();
  document.addEventListener("copy", put, true);
  document.execCommand("copy");
  document.removeEventListener("copy", put, true);
  area.remove();
  before?.focus?.({ preventScroll: true });
}
