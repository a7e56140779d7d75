/**
 * Files of a message, as buttons that open what the model reads of them.
 *
 * @import { AttachedFile } from "grokweb/wire/objects.js"
 */

import { el, icon } from "grokweb/ui/dom.js";
import { aboutFile } from "grokweb/view/file_status.js";

const SHOWN = 280; // pixels; the longest side of an image in a message
const CHIP = 40;

/**
 * Returns a file's image, small; its place is reserved before it is loaded.
 * @param {AttachedFile} file @param {number} side  the longest, in pixels @param {string} alt
 */
export function thumbnail({ id, image }, side, alt) {
  const [width, height] = image ?? [1, 1];
  const scale = Math.min(1, side / Math.max(width, height));
  return el("img", {
    src: `/api/files/${id}/image/`, alt, loading: "lazy", decoding: "async",
    width: Math.max(1, Math.round(scale * width)), height: Math.max(1, Math.round(scale * height)),
  });
}

/**
 * Returns the icon, name and details of a file, for its button.
 * @param {AttachedFile & { sent?: number }} file
 */
export const fileLabel = (file) => {
  const name = el("span", { class: "name", dir: "ltr" }, file.name);
  const sign = file.image ? thumbnail(file, CHIP, "") : icon("file");
  return [sign, el("span", { class: "what" }, name, el("small", {}, aboutFile(file)))];
};

/**
 * Draws the files of a message that was sent, as buttons that show what the model read.
 * @param {HTMLElement} list @param {AttachedFile[]} [files]
 */
export function drawFiles(list, files = []) {
  list.hidden = !files.length;
  list.replaceChildren(...files.map((file) => {
    const shown = file.image ? [thumbnail(file, SHOWN, file.name)] : fileLabel(file);
    const attributes = { class: file.image ? "shown-image" : "chip", type: "button", title: file.name };
    const button = el("button", attributes, ...shown);
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
