/**
 * The keys and buttons that open the palette and the sheet of shortcuts. Both are loaded when first asked
 * for.
 */

/** @import { Conversation } from "grokweb/wire/objects.js" */

import { find } from "grokweb/ui/dom.js";
import { isMac, shortcut } from "grokweb/ui/keys.js";
import { isSomethingOpen } from "grokweb/ui/menu.js";

/** @param {any} target */
const isField = (target) => target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);

/**
 * Returns "palette", "shortcuts", "new" or "" for a key press.
 * @param {KeyboardEvent} event @param {boolean} busy  something is open above the page
 */
export const wanted = (event, busy) => shortcut(event, !busy && !isField(event.target));

/** Keeps typed letters from the message box. Returns the function that ends it and returns them. */
function holdLetters() {
  let held = "";
  const hold = (/** @type {KeyboardEvent} */ event) => {
    if (event.key.length !== 1 || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    held += event.key;
  };
  addEventListener("keydown", hold, true);
  return () => {
    removeEventListener("keydown", hold, true);
    return held;
  };
}

async function openSheet() {
  (await import("grokweb/parts/shortcut_sheet.js")).open();
}

/** @param {() => Conversation[]} known */
async function openPalette(known) {
  const release = holdLetters();
  try {
    const palette = await import("grokweb/parts/palette.js");
    palette.open(release(), known());
  } finally {
    release();
  }
}

/**
 * @param {() => void} startNew  begins a new chat
 * @param {() => Conversation[]} known  returns those that the page knows, the newest first
 */
export function wireShortcuts(startNew, known) {
  find("[data-find-keys]").textContent = isMac ? "⌘K" : "Ctrl K";
  find("[data-find]").addEventListener("click", () => openPalette(known));
  find("[data-shortcuts]").addEventListener("click", () => {
    find("#account-menu").hidePopover();
    openSheet();
  });
  addEventListener("keydown", (event) => {
    if (event.repeat) return;
    const name = wanted(event, isSomethingOpen());
    if (!name) return;
    event.preventDefault(); // the browser has a search of its own on this key
    if (name === "new") startNew();
    else if (document.querySelector("dialog[open]")) return;
    else if (name === "shortcuts") openSheet();
    else openPalette(known);
  });
}
