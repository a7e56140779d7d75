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

async function open(name) {
  const room = await import(name === "palette" ? "grokweb/palette.js" : "grokweb/shortcuts.js");
  room.open();
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
