/**
 * Footnotes: `[^1]` among words, and `[^1]: text` on lines of its own, for marked. While an answer grows, a
 * note stands where it was written; a whole text has them numbered at its end, and view/footnote_links.js
 * gives them links. The rules are those of chat/sharing/footnotes.py.
 *
 * @import { TokenizerAndRendererExtension, Tokens } from "vendor/marked.js"
 */

import { dirOfBlocks } from "grokweb/markdown/direction.js";

const REFERENCE = /^\[\^([^\][^\s]{1,40})\]/;
const DEFINITION = /^ {0,3}\[\^([^\][^\s]{1,40})\]:[ \t]*/;
const OTHER_BLOCK = /^ {0,3}(?:#{1,6}\s|>|`{3}|~{3}|[-*+]\s|\d{1,9}[.)]\s|\||\[\^|<\/?details\b)/i;
export const NOTE_BEGINS = /\n {0,3}\[\^[^\][^\s]{1,40}\]:/;

/** @param {string} label */
const keyOf = (label) => label.toLowerCase();

/** @param {string} text */
const textToken = (text) => ({ type: "text", raw: text, text, escaped: false });

/**
 * Returns where the note ends that begins at `from`: after its last line that is indented, or that continues
 * a paragraph.
 * @param {string} src @param {number} from
 */
function endOfNote(src, from) {
  let end = src.indexOf("\n", from) + 1 || src.length;
  let blank = false;
  for (let at = end; at < src.length;) {
    const next = src.indexOf("\n", at) + 1 || src.length;
    const line = src.slice(at, next);
    if (!line.trim()) blank = true;
    else if (/^(?: {2}|\t)/.test(line) || (!blank && !OTHER_BLOCK.test(line))) end = next;
    else break;
    at = next;
  }
  return end;
}

/** @type {TokenizerAndRendererExtension} */
export const noteBlock = {
  name: "noteBlock",
  level: "block",
  start: (src) => src.search(NOTE_BEGINS), // of a later line, as for formulas
  tokenizer(src) {
    const begun = DEFINITION.exec(src);
    if (!begun) return undefined;
    const end = endOfNote(src, begun[0].length);
    const text = src.slice(begun[0].length, end).replace(/\n(?: {1,4}|\t)/g, "\n");
    const { top } = this.lexer.state;
    this.lexer.state.top = true;
    const tokens = this.lexer.blockTokens(text, []);
    this.lexer.state.top = top;
    return { type: "noteBlock", raw: src.slice(0, end), label: begun[1], tokens };
  },
  renderer(token) {
    const label = this.parser.parseInline([textToken(token.label)]);
    return `<div class="notes"><sup>${label}</sup>${this.parser.parse(token.tokens ?? [])}</div>\n`;
  },
};

/** @type {TokenizerAndRendererExtension} */
export const noteReference = {
  name: "noteReference",
  level: "inline",
  start: (src) => src.search(/\[\^/),
  tokenizer(src) {
    const found = this.lexer.state.inLink ? null : REFERENCE.exec(src); // no link within a link
    if (!found) return undefined;
    const [raw, label] = found;
    return { type: "noteReference", raw, text: raw, label, escaped: false };
  },
  renderer(token) {
    if (!token.number) return this.parser.parseInline([textToken(token.raw)]);
    return `<sup class="note-ref"><a href="#note-0-${token.number}">${token.number}</a></sup>`;
  },
};

/** @type {import("vendor/marked.js").RendererExtension} */
export const noteList = {
  name: "noteList",
  renderer({ notes }) {
    const back = (/** @type {number} */ number) => `<a class="note-back" href="#note-0-${number}-back">↩</a>`;
    const items = notes.map((/** @type {Tokens.Generic} */ { tokens = [], used }) =>
      `<li${dirOfBlocks(tokens)}>${this.parser.parse(tokens)}${used ? back(used) : ""}</li>`);
    return `<div class="notes"><ol${dirOfBlocks(notes)}>\n${items.join("\n")}</ol></div>\n`;
  },
};

/** @param {Tokens.Generic} token @returns {Tokens.Generic[]} */
const cellsOf = ({ type, header, rows }) => (type === "table" ? [...header, ...rows.flat()] : []);

/** @param {Tokens.Generic[]} tokens @returns {Generator<Tokens.Generic>} */
function* everyToken(tokens) {
  for (const token of tokens) {
    yield token;
    for (const held of [token, ...(token.items ?? []), ...cellsOf(token)]) {
      if (held.tokens) yield* everyToken(held.tokens);
    }
  }
}

/**
 * Moves the notes out of `tokens`, at any depth, in the order in which they are written. Returns the other
 * tokens.
 * @param {Tokens.Generic[]} tokens @param {Tokens.Generic[]} notes
 */
function takeNotes(tokens, notes) {
  for (const token of tokens) {
    for (const held of [token, ...(token.items ?? [])]) {
      if (held.tokens && token.type !== "paragraph") held.tokens = takeNotes(held.tokens, notes);
    }
    if (token.type === "noteBlock") notes.push(token);
  }
  return tokens.filter(({ type }) => type !== "noteBlock");
}

/**
 * Makes references to nothing ordinary text.
 * @param {Tokens.Generic[]} tokens
 */
function unlinkUnknown(tokens) {
  for (const token of everyToken(tokens)) {
    if (token.type === "noteReference" && !token.number) token.type = "text";
  }
  return tokens;
}

/**
 * Returns the tokens of a whole text with its notes at the end, in the order in which they are first referred
 * to; notes without a reference come last.
 * @param {Tokens.Generic[]} tokens
 * @returns {Tokens.Generic[]}
 */
export function withNotes(tokens) {
  /** @type {Tokens.Generic[]} */
  const written = [];
  const main = takeNotes(tokens, written);
  if (!written.length) return unlinkUnknown(tokens);
  const byLabel = new Map();
  for (const note of written) if (!byLabel.has(keyOf(note.label))) byLabel.set(keyOf(note.label), note);
  /** @type {Tokens.Generic[]} */
  const notes = [];
  const number = (/** @type {Tokens.Generic[]} */ within) => {
    for (const token of everyToken(within)) {
      const note = token.type === "noteReference" ? byLabel.get(keyOf(token.label)) : null;
      if (!note) continue;
      if (!note.used) note.used = notes.push(note);
      token.number = note.used;
    }
  };
  number(main);
  for (let i = 0; i < notes.length; i += 1) number(notes[i].tokens ?? []);
  for (const note of written) if (!note.used) notes.push(note);
  unlinkUnknown(main);
  for (const note of notes) unlinkUnknown(note.tokens ?? []);
  return [...main, { type: "noteList", raw: "", notes }];
}
