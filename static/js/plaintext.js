/** Markdown as plain text: for copying without marks, and for reading aloud. Formulas are their source. */

import { lex } from "grokweb/markdown.js";
import { gettext } from "grokweb/words.js";

const ENTITIES = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'" };
const decode = (text) => text.replace(/&(amp|lt|gt|quot|#39);/g, (_, name) => ENTITIES[name]);

const inline = (tokens = []) => tokens.map((token) => {
  if (token.type === "br") return "\n";
  if (token.type === "checkbox") return "";
  if (token.tokens) return inline(token.tokens);
  return decode(token.text ?? token.raw ?? "");
}).join("");

function list(token, aloud, depth) {
  return token.items.map((item, i) => {
    const mark = aloud ? "" : `${"  ".repeat(depth)}${token.ordered ? `${Number(token.start || 1) + i}.` : "-"} `;
    return mark + blocks(item.tokens, aloud, depth + 1).join("\n");
  }).join("\n");
}

const row = (cells, gap) => cells.map((cell) => inline(cell.tokens)).join(gap);

function block(token, aloud, depth) {
  switch (token.type) {
    case "space": case "hr": case "def": return "";
    case "code": return aloud ? gettext("Here is a block of code.") : token.text;
    case "list": return list(token, aloud, depth);
    case "blockquote": return blocks(token.tokens, aloud, depth).join("\n");
    case "table": return [token.header, ...token.rows].map((cells) => row(cells, aloud ? ", " : "\t")).join("\n");
    default: return inline(token.tokens ?? [token]);
  }
}

const blocks = (tokens, aloud, depth) => tokens.map((token) => block(token, aloud, depth)).filter((each) => each !== "");

export const plainText = (markdown) => blocks(lex(markdown), false, 0).join("\n\n");
export const spokenText = (markdown) => blocks(lex(markdown), true, 0).join("\n");
