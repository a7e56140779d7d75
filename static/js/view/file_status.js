/**
 * Describes the state of an attached file in one line.
 *
 * @import { AttachedFile } from "grokweb/wire/objects.js"
 */

import { bytes, number } from "grokweb/base/format.js";
import { fill, gettext } from "grokweb/base/i18n.js";

/**
 * Returns the line below a file's name.
 * @param {AttachedFile & { sent?: number }} file
 */
export function aboutFile(file) {
  if (file.state === "up") return fill(gettext("%(n)s % sent"), { n: number(Math.round(100 * (file.sent ?? 0))) });
  if (file.state === "reading") return gettext("reading…");
  if (file.words) return file.words; // why it could not be read, or that an import had only an image's name
  const tokens = fill(gettext("about %(n)s tokens"), { n: number(file.tokens) });
  const shape = file.image ? [file.image.map((each) => number(each)).join(" × ")] : [];
  return [...shape, bytes(file.size), tokens, ...(file.remarks ?? [])].join(" · ");
}
