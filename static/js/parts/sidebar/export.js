/**
 * One conversation as a file, or as a page to print.
 *
 * @import { Conversation } from "grokweb/wire/objects.js"
 * @typedef {{ name: string, icon: string, suffix: string, label: string, thoughts: boolean }} Format
 */

import { fill, gettext } from "grokweb/base/i18n.js";
import { el } from "grokweb/ui/dom.js";
import { openMenu } from "grokweb/ui/menu.js";
import { ApiError } from "grokweb/wire/api.js";

const REVOKE_AFTER = 60_000; // milliseconds: the download has begun by then

/**
 * Opens a second menu where the first one was; `failed(words)` warns. `thoughts`: it offers the same with
 * what the model thought before its answers, which exports leave out otherwise.
 * @param {HTMLElement} button @param {Conversation} conversation @param {(words: string) => void} failed
 */
export function chooseExport(button, conversation, failed, { thoughts = false } = {}) {
  const { id } = conversation;
  const download = (/** @type {Format} */ format) => () => { fetchExport(id, format, thoughts, failed); };
  const offered = formats().filter((format) => format.thoughts || !thoughts);
  const more = () => { chooseExport(button, conversation, failed, { thoughts: true }); };
  const print = () => { open(`/c/${id}/print/${thoughts ? "?thoughts=1" : ""}`, "_blank", "noopener"); };
  /** @param {string} words */
  const labelled = (words) => (thoughts ? fill(gettext("%(format)s, with thoughts"), { format: words }) : words);
  openMenu(button, [
    ...offered.map((format) => ({ name: format.icon, words: labelled(format.label), run: download(format) })),
    { name: "print", words: labelled(gettext("Print or PDF")), run: print },
    ...(thoughts ? [] : [{ name: "more", words: gettext("With thoughts…"), run: more }]),
  ]);
}

/** Returns the formats of the server's table (templates/chat/chat.html). @returns {Format[]} */
function formats() {
  /** @type {NodeListOf<HTMLElement>} */
  const items = document.querySelectorAll("[data-export-formats] > li");
  return [...items].map(({ dataset: { name = "", icon = "", suffix = "", thoughts }, textContent: label }) =>
    ({ name, icon, suffix, label, thoughts: thoughts !== undefined }));
}

/**
 * Fetches the file before it is saved, so that a refusal is shown in words instead of a download that fails.
 * @param {string} id @param {Format} format @param {boolean} thoughts @param {(words: string) => void} failed
 */
async function fetchExport(id, { name, suffix }, thoughts, failed) {
  try {
    const query = `format=${encodeURIComponent(name)}${thoughts ? "&thoughts=1" : ""}`;
    const response = await fetch(`/api/conversations/${id}/export/?${query}`);
    if (!response.ok) {
      const body = await response.json().catch(() => ({}));
      throw new ApiError(response.status, body.error);
    }
    const sent = nameIn(response.headers.get("content-disposition"));
    save(await response.blob(), sent ?? `conversation${suffix}`);
  } catch (error) {
    const offline = gettext("The server cannot be reached. Please try again.");
    failed(error instanceof ApiError ? error.message : offline);
  }
}

/** @param {Blob} blob @param {string} name */
function save(blob, name) {
  const link = el("a", { href: URL.createObjectURL(blob), download: name, hidden: true });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), REVOKE_AFTER);
}

/**
 * Returns the file name of a Content-Disposition: filename="a.md", or filename*=utf-8''%C3%A9.md for other
 * letters.
 * @param {string | null} header
 */
export function nameIn(header) {
  const wide = /filename\*=utf-8''([^;]+)/i.exec(header ?? "");
  if (wide) return decodeURIComponent(wide[1]);
  return /filename="((?:[^"\\]|\\.)*)"/i.exec(header ?? "")?.[1].replace(/\\(.)/g, "$1") ?? null;
}
