/** Markdown as plain text: for copying without marks, and for reading aloud. Formulas are their source. */

/** @import { Tokens } from "vendor/marked.js" */

import { gettext } from "grokweb/base/i18n.js";
import { lex } from "grokweb/markdown/markdown.js";

/** @type {Record<string, string>} */
const ENTITIES = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'" };
/** @param {string} text */
const decode = (text) => text.replace(/&(amp|lt|gt|quot|#39);/g, (_, name) => ENTITIES[name]);

/** @param {Tokens.Generic[]} [tokens] @returns {string} */
const inline = (tokens = [], aloud = false) => tokens.map((token) => {
  if (token.type === "br") return "\n";
  if (token.type === "checkbox") return "";
  if (token.type === "noteReference" && aloud) return "";
  if (token.tokens) return inline(token.tokens, aloud);
  return decode(token.text ?? token.raw ?? "");
}).join("");

/** @param {Tokens.Generic} token @param {boolean} aloud @param {number} depth */
function list(token, aloud, depth) {
  return token.items.map((/** @type {Tokens.Generic} */ item, /** @type {number} */ i) => {
    const sign = token.ordered ? `${Number(token.start || 1) + i}.` : "-";
    const mark = aloud ? "" : `${"  ".repeat(depth)}${sign} `;
    return mark + blocks(item.tokens ?? [], aloud, depth + 1).join("\n");
  }).join("\n");
}

/** A row is a line. @param {Tokens.Generic[]} cells @param {boolean} aloud */
const row = (cells, aloud) =>
  cells.map((cell) => inline(cell.tokens, aloud).replaceAll("\n", " ")).join(aloud ? ", " : "\t");

/** @param {Tokens.Generic} token @param {boolean} aloud */
function notes(token, aloud) {
  return token.notes.map((/** @type {Tokens.Generic} */ { tokens = [], label }) => {
    const text = blocks(tokens, aloud, 0).join("\n");
    return aloud ? text : `[^${label}]: ${text}`;
  }).join("\n");
}

/** @param {Tokens.Generic} token @param {boolean} aloud @param {number} depth @returns {string} */
function block(token, aloud, depth) {
  switch (token.type) {
    case "space": case "hr": case "def": return "";
    case "code": return aloud ? gettext("Here is a block of code.") : token.text;
    case "list": return list(token, aloud, depth);
    case "blockquote": return blocks(token.tokens ?? [], aloud, depth).join("\n");
    case "table": return [token.header, ...token.rows].map((cells) => row(cells, aloud)).join("\n");
    case "collapsible": case "section": return blocks(token.tokens ?? [], aloud, depth).join("\n");
    case "noteList": return notes(token, aloud);
    default: return inline(token.tokens ?? [token], aloud);
  }
}

/** @param {Tokens.Generic[]} tokens @param {boolean} aloud @param {number} depth */
const blocks = (tokens, aloud, depth) =>
  tokens.map((token) => block(token, aloud, depth)).filter((each) => each !== "");

/** @param {string} markdown */
export const plainText = (markdown) => blocks(lex(markdown), false, 0).join("\n\n");
/** @param {string} markdown */
export const spokenText = (markdown) => blocks(lex(markdown), true, 0).join("\n");
