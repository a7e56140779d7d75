/**
 * Files and long texts that are dropped on the page or pasted into the message box.
 *
 * @import { Notices } from "grokweb/ui/notices.js"
 */

import { number } from "grokweb/base/format.js";
import { fill, gettext } from "grokweb/base/i18n.js";
import { namesFiles } from "grokweb/parts/pasted_files.js";
import { isSomethingOpen } from "grokweb/ui/menu.js";

const LONG_PASTE = 8_000; // characters: from here on a file is offered
const HUGE_PASTE = 200_000; // from here on the box would freeze the page

/**
 * Takes files that are dropped anywhere; `overlay` covers the page meanwhile.
 * @param {HTMLElement} overlay @param {(files: File[]) => void} add
 */
export function wireDrop(overlay, add) {
  const hasFiles = (/** @type {DragEvent} */ event) =>
    event.dataTransfer?.types.includes("Files") && !isSomethingOpen();
  const over = (/** @type {DragEvent} */ event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    overlay.hidden = false;
  };
  document.addEventListener("dragenter", over);
  document.addEventListener("dragover", over);
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) overlay.hidden = true; });
  document.addEventListener("drop", (event) => {
    overlay.hidden = true;
    if (!hasFiles(event)) return;
    event.preventDefault();
    add([...event.dataTransfer?.files ?? []]);
  });
}

/**
 * Takes files that are pasted, and offers to attach a long text as one.
 * @param {HTMLTextAreaElement} area @param {Notices} notices @param {(files: File[]) => void} add
 */
export function wirePaste(area, notices, add) {
  area.addEventListener("paste", (event) => {
    const files = [...event.clipboardData?.files ?? []];
    const text = event.clipboardData?.getData("text/plain") ?? "";
    if (files.length && (!text || namesFiles(text, files))) {
      event.preventDefault();
      add(files);
    } else if (text.length > LONG_PASTE) {
      if (text.length > HUGE_PASTE) event.preventDefault();
      offerFile(area, text, notices, add);
    }
  });
}

/**
 * Offers to attach a long text as a file; a huge one does not get into the box at all.
 * @param {HTMLTextAreaElement} area
 * @param {string} text
 * @param {Notices} notices
 * @param {(files: File[]) => void} add
 */
function offerFile(area, text, notices, add) {
  const huge = text.length > HUGE_PASTE;
  const attach = () => {
    notices.clear("files");
    const plain = text.replace(/\r\n?/g, "\n");
    if (!huge && area.value.includes(plain)) {
      area.value = area.value.replace(plain, () => "");
      area.dispatchEvent(new Event("input", { bubbles: true }));
    }
    add([new File([text], gettext("Pasted text.txt"), { type: "text/plain" })]);
    area.focus();
  };
  const words = huge
    ? gettext("This text is too long for the message box (%(n)s characters), so it was not put there.")
    : gettext("That was a long text (%(n)s characters).");
  const action = { words: gettext("Attach it as a file"), run: attach };
  notices.show("files", fill(words, { n: number(text.length) }), { kind: huge ? "warn" : "", action });
}
