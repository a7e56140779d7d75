/**
 * Collapsible sections: `<details>` and `<summary>`, the only tags that an answer may write, for marked. The
 * text between them is Markdown. The rules are those of chat/sharing/collapsible.py.
 *
 * @import { RendererExtension, TokenizerAndRendererExtension } from "vendor/marked.js"
 */

import { gettext } from "grokweb/base/i18n.js";
import { dirOfBlocks, dirOfWords } from "grokweb/markdown/direction.js";

const OPENS = /^ {0,3}<details(\s+open(?:="[^"\n]*")?)?\s*>/i;
const TAG = /<(\/?)details(?:\s[^>\n]*)?>/gi;
const FENCE = /^ {0,3}(`{3,}|~{3,})/;
const SUMMARY = /^\s*<summary>((?:(?!<\/summary>|\n[ \t]*\n)[\s\S])*)(?:<\/summary>|$)/i;
export const SECTION_BEGINS = /\n {0,3}<details[\s>]/i;
const DEEPEST = 5; // each level reads its text once more

/**
 * Returns where a section ends: its content, and its closing tag. One without an end reaches to the end of
 * the text.
 * @param {string} src @param {number} from
 */
function endOfSection(src, from) {
  let depth = 1;
  let fence = "";
  for (let at = from; at < src.length;) {
    const next = src.indexOf("\n", at) + 1 || src.length;
    const line = src.slice(at, next);
    const mark = at > from ? FENCE.exec(line)?.[1] : undefined;
    if (fence) {
      if (mark?.startsWith(fence) && !line.trim().slice(mark.length)) fence = "";
    } else if (mark) fence = mark;
    else {
      for (const tag of line.matchAll(TAG)) {
        const begins = !line.slice(0, tag.index).trim();
        const ends = !line.slice(tag.index + tag[0].length).trim();
        if (!begins && !(tag[1] && ends)) continue; // words about tags
        depth += tag[1] ? -1 : 1;
        if (!depth) return { end: at + tag.index, after: at + tag.index + tag[0].length };
      }
    }
    at = next;
  }
  return null;
}

/**
 * Reads `text` as blocks of their own, one level deeper.
 * @param {import("vendor/marked.js").TokenizerThis["lexer"]} lexer @param {string} text
 */
function blocksOf(lexer, text) {
  const state = /** @type {typeof lexer.state & { sections?: number }} */ (lexer.state);
  const { top, sections = 0 } = state;
  Object.assign(state, { top: true, sections: sections + 1 });
  const tokens = lexer.blockTokens(text, []);
  Object.assign(state, { top, sections });
  return tokens;
}

/** @type {TokenizerAndRendererExtension} */
export const collapsible = {
  name: "collapsible",
  level: "block",
  start: (src) => src.search(SECTION_BEGINS),
  tokenizer(src) {
    const begun = OPENS.exec(src);
    const { sections = 0 } = /** @type {{ sections?: number }} */ (this.lexer.state);
    if (!begun || sections >= DEEPEST) return undefined;
    const found = endOfSection(src, begun[0].length);
    const inside = src.slice(begun[0].length, found?.end);
    const title = SUMMARY.exec(inside);
    const words = title?.[1].trim() || gettext("Details");
    const summaryToken = { type: "summary", raw: title?.[0] ?? "", tokens: this.lexer.inline(words) };
    const sectionToken = {
      type: "section", raw: "", open: Boolean(begun[1]) || !found,
      tokens: [summaryToken, ...blocksOf(this.lexer, inside.slice(title?.[0].length ?? 0))],
    };
    /** @type {import("vendor/marked.js").Tokens.Generic[]} */
    const tokens = [sectionToken];
    const lineEnd = found ? src.indexOf("\n", found.after) + 1 || src.length : src.length;
    const rest = found ? src.slice(found.after, lineEnd).trim() : "";
    if (rest) tokens.push({ type: "paragraph", raw: rest, text: rest, tokens: this.lexer.inline(rest) });
    return { type: "collapsible", raw: src.slice(0, lineEnd), tokens };
  },
  renderer({ tokens = [] }) { return this.parser.parse(tokens); },
};

/** @type {RendererExtension} */
export const section = {
  name: "section",
  renderer({ tokens = [], open }) {
    return `<details${open ? " open" : ""}${dirOfBlocks(tokens)}>\n${this.parser.parse(tokens)}</details>\n`;
  },
};

/** @type {RendererExtension} */
export const summary = {
  name: "summary",
  renderer({ tokens = [] }) {
    return `<summary${dirOfWords(tokens)}>${this.parser.parseInline(tokens)}</summary>\n`;
  },
};
