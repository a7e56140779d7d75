/**
 * The dialog that shows what the model reads of a file, and in which encoding; loaded when a file is opened.
 *
 * @import { AttachedFile } from "grokweb/wire/objects.js"
 */

import { gettext } from "grokweb/base/i18n.js";
import { el, find, wireDialog, wordsOf } from "grokweb/ui/dom.js";
import { aboutFile } from "grokweb/view/file_status.js";
import { call } from "grokweb/wire/api.js";

const SHOWN = 100_000; // characters; nobody reads more in a dialog
const POLL_MS = 400;

let wired = false;
/** @type {AttachedFile | null} */
let shown = null;

/**
 * @typedef {((fresh: AttachedFile) => void) | undefined} Changed  only files that are not sent yet have one
 */

/** @param {AttachedFile} file @param {Changed} changed */
export async function openFile(file, changed) {
  const dialog = find("dialog#file-dialog");
  if (!wired) {
    wired = true;
    wireDialog(dialog);
  }
  shown = file;
  find("h2", dialog).textContent = file.name;
  find("a", dialog).href = `/api/files/${file.id}/original/`;
  const original = file.original ? gettext("Download the original") : gettext("Download the text");
  find("a", dialog).hidden = file.kind === "image" && !file.image;
  const words = file.image ? gettext("Download the image") : original;
  find("a span", dialog).textContent = words;
  find("label", dialog).hidden = true;
  showImage(dialog, file);
  dialog.showModal();
  const select = find("select", dialog);
  select.onchange = () => { readAgain(dialog, file, select.value, changed); };
  await load(dialog, file);
}

/**
 * Shows an image large, in place of the text that a file has else.
 * @param {HTMLDialogElement} dialog @param {AttachedFile} file
 */
function showImage(dialog, { id, name, kind, image }) {
  const [width, height] = image ?? [];
  const large = image ? [el("img", { src: `/api/files/${id}/image/`, alt: name, width, height })] : [];
  find(".large-image", dialog).replaceChildren(...large);
  find("pre", dialog).hidden = kind === "image";
}

/** @param {HTMLDialogElement} dialog @param {AttachedFile} file */
async function load(dialog, file) {
  const pre = find("pre", dialog);
  find("[data-about]", dialog).textContent = aboutFile(file);
  if (file.kind === "image") return;
  pre.textContent = gettext("Loading…");
  try {
    const answer = await call("GET", `/api/files/${file.id}/text/`);
    if (shown !== file) return;
    pre.textContent = answer.text.length > SHOWN ? `${answer.text.slice(0, SHOWN)}…` : answer.text;
    find("[data-about]", dialog).textContent = aboutFile(answer.file);
    fillMenu(dialog, answer);
  } catch (error) {
    pre.textContent = wordsOf(error);
  }
}

/**
 * @typedef {{ id: string, name: string }} Encoding
 * @param {HTMLDialogElement} dialog
 * @param {{ encoding: string, encodings: { group: string, encodings: Encoding[] }[] }} answer
 */
function fillMenu(dialog, { encoding, encodings }) {
  const select = find("select", dialog);
  find("label", dialog).hidden = !encodings.length;
  const none = encoding ? [] : [el("option", { value: "", disabled: true }, gettext("Choose an encoding"))];
  const groups = encodings.map(({ group, encodings: those }) =>
    el("optgroup", { label: group }, ...those.map(({ id, name }) => el("option", { value: id }, name))));
  select.replaceChildren(...none, ...groups);
  select.value = encoding;
}

/**
 * @param {HTMLDialogElement} dialog
 * @param {AttachedFile} file
 * @param {string} encoding
 * @param {Changed} changed
 */
async function readAgain(dialog, file, encoding, changed) {
  const pre = find("pre", dialog);
  const select = find("select", dialog);
  pre.textContent = gettext("reading…");
  select.disabled = true;
  try {
    changed?.((await call("POST", `/api/files/${file.id}/encoding/`, { encoding })).file);
    while (file.state === "reading") {
      await new Promise((done) => { setTimeout(done, POLL_MS); });
      changed?.((await call("GET", `/api/files/${file.id}/`)).file);
    }
    if (shown === file) await load(dialog, file);
  } catch (error) {
    pre.textContent = wordsOf(error);
  }
  select.disabled = false;
  select.focus();
}
