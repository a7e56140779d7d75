/**
 * One conversation as a file, or as a page to print.
 *
 * @import { Conversation } from "grokweb/wire/objects.js"
 * @typedef {{ name: string, icon: string, suffix: string, label: string }} Format
 */

import { gettext } from "grokweb/base/i18n.js";
import { el } from "grokweb/ui/dom.js";
import { openMenu } from "grokweb/ui/menu.js";
import { ApiError } from "grokweb/wire/api.js";

const REVOKE_AFTER = 60_000; // milliseconds: the download has begun by then

/**
 * Opens a second menu where the first one was; `failed(words)` warns.
 * @param {HTMLElement} button @param {Conversation} conversation @param {(words: string) => void} failed
 */
export function chooseExport(button, { id }, failed) {
  const download = (/** @type {Format} */ format) => () => { fetchExport(id, format, failed); };
  openMenu(button, [
    ...formats().map((format) => ({ name: format.icon, words: format.label, run: download(format) })),
    { name: "print", words: gettext("Print or PDF"), run: () => { open(`/c/${id}/print/`, "_blank", "noopener"); } },
  ]);
}

/** Returns the formats of the server's table (templates/chat/chat.html). @returns {Format[]} */
function formats() {
  /** @type {NodeListOf<HTMLElement>} */
  const items = document.querySelectorAll("[data-export-formats] > li");
  return [...items].map(({ dataset: { name = "", icon = "", suffix = "" }, textContent: label }) =>
    ({ name, icon, suffix, label }));
}

/**
 * Fetches the file before it is saved, so that a refusal is shown in words instead of a download that fails.
 * @param {string} id @param {Format} format @param {(words: string) => void} failed
 */
async function fetchExport(id, { name, suffix }, failed) {
  try {
    const response = await fetch(`/api/conversations/${id}/export/?format=${encodeURIComponent(name)}`);
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
