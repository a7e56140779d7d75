/**
 * Files of a message, as buttons that open what the model reads of them.
 *
 * @import { AttachedFile } from "grokweb/wire/objects.js"
 */

import { el, icon } from "grokweb/ui/dom.js";
import { aboutFile } from "grokweb/view/file_status.js";

/**
 * Returns the icon, name and details of a file, for its button.
 * @param {AttachedFile & { sent?: number }} file
 */
export const fileLabel = (file) => {
  const name = el("span", { class: "name", dir: "ltr" }, file.name);
  return [icon("file"), el("span", { class: "what" }, name, el("small", {}, aboutFile(file)))];
};

/**
 * Draws the files of a message that was sent, as buttons that show what the model read.
 * @param {HTMLElement} list @param {AttachedFile[]} [files]
 */
export function drawFiles(list, files = []) {
  list.hidden = !files.length;
  list.replaceChildren(...files.map((file) => {
    const button = el("button", { class: "chip", type: "button", title: file.name }, ...fileLabel(file));
    button.addEventListener("click", () => showFile(file));
    return el("li", {}, button);
  }));
}

/**
 * Shows what the model reads of a file. `changed(fresh)` is called while its text is read in another
 * encoding.
 * @param {AttachedFile} file @param {(fresh: AttachedFile) => void} [changed]
 */
export async function showFile(file, changed) {
  const { openFile } = await import("grokweb/view/file_dialog.js");
  openFile(file, changed);
}
