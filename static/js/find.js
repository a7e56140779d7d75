/** The keys and buttons that open the palette and the sheet of shortcuts. Both are fetched when first asked for. */

import { find } from "grokweb/dom.js";
import { somethingOpen } from "grokweb/menu.js";

export const isMac = /Mac|iPhone|iPad/.test(globalThis.navigator?.platform ?? "");

const typing = (target) => target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);

/** "palette", "shortcuts" or "" for a key press. */
export function wanted(event, busy) {
  const command = (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey;
  if (command && event.key.toLowerCase() === "k") return "palette";
  if (command && event.key === "/") return "shortcuts";
  if (event.key === "?" && !event.ctrlKey && !event.metaKey && !event.altKey && !busy && !typing(event.target)) return "shortcuts";
  return "";
}

/** Keeps what is typed until `release()` gives it back: letters must not fall into the message box meanwhile. */
function holdLetters() {
  let held = "";
  const hold = (event) => {
    if (event.key.length !== 1 || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
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

async function open(name) {
  if (name === "shortcuts") {
    (await import("grokweb/shortcuts.js")).open();
    return;
  }
  const release = holdLetters();
  try {
    const palette = await import("grokweb/palette.js");
    palette.open(release());
  } finally {
    release();
  }
}

export function wireFind() {
  find("[data-find-keys]").textContent = isMac ? "⌘K" : "Ctrl K";
  find("[data-find]").addEventListener("click", () => open("palette"));
  find("[data-shortcuts]").addEventListener("click", () => {
    find("#account-menu").hidePopover();
    open("shortcuts");
  });
  addEventListener("keydown", (event) => {
    if (event.isComposing || event.repeat) return;
    const room = wanted(event, somethingOpen());
    if (!room) return;
    event.preventDefault(); // the browser has a search of its own on this key
    if (!document.querySelector("dialog[open]")) open(room);
  });
}
