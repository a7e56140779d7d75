/** One conversation as a file, or as a page to print. */

import { ApiError } from "grokweb/api.js";
import { el } from "grokweb/dom.js";
import { openMenu } from "grokweb/menu.js";
import { gettext } from "grokweb/words.js";

/** A second menu where the first one was; `failed(words)` warns. */
export function chooseExport(button, conversation, failed) {
  openMenu(button, [
    { name: "text", words: gettext("Markdown, to read"), run: () => save(conversation.id, "markdown", failed) },
    { name: "braces", words: gettext("JSON, complete"), run: () => save(conversation.id, "json", failed) },
    { name: "print", words: gettext("Print or PDF"), run: () => open(`/c/${conversation.id}/print/`, "_blank", "noopener") },
  ]);
}

/** Fetched first, so that a refusal is told in words instead of a download that fails. */
async function save(id, format, failed) {
  try {
    const response = await fetch(`/api/conversations/${id}/export/?format=${format}`);
    if (!response.ok) {
      const body = await response.json().catch(() => ({}));
      throw new ApiError(response.status, body.error);
    }
    keep(await response.blob(), nameIn(response.headers.get("content-disposition")) ?? `conversation.${format === "json" ? "json" : "md"}`);
  } catch (error) {
    failed(error instanceof ApiError ? error.message : gettext("The server cannot be reached. Please try again."));
  }
}

function keep(blob, name) {
  const link = el("a", { href: URL.createObjectURL(blob), download: name, hidden: true });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** filename="a.md", or filename*=utf-8''%C3%A9.md for other letters. */
export function nameIn(header) {
  const wide = /filename\*=utf-8''([^;]+)/i.exec(header ?? "");
  if (wide) return decodeURIComponent(wide[1]);
  return /filename="((?:[^"\\]|\\.)*)"/i.exec(header ?? "")?.[1].replace(/\\(.)/g, "$1") ?? null;
}
