/** Splits a growing text into blocks: those that are finished are handed out once, only the tail again and again. */

import { lex, toHtml } from "grokweb/markdown.js";

const isSpace = (token) => token.type === "space";
const block = (token) => ({ type: token.type, html: toHtml([token]), open: isOpen(token) });

/** A fence that has no end yet; its code is not coloured until it has. */
const isOpen = (token) => token.type === "code" && /^ {0,3}(`{3,}|~{3,})/.test(token.raw) && !closed(token.raw);

function closed(raw) {
  const fence = /^ {0,3}(`{3,}|~{3,})/.exec(raw)[1];
  const last = raw.trimEnd().split("\n").slice(1).at(-1)?.trim() ?? "";
  return last.length >= fence.length && last === fence[0].repeat(last.length);
}

export const wholeText = (text) => lex(text).filter((token) => !isSpace(token)).map(block);

export class Blocks {
  constructor() {
    this.frozen = []; // the HTML of every finished block
    this.at = 0; // where the tail begins
  }

  /** {added: blocks finished since the last call, tail: the unfinished one or null}. `text` only ever grows. */
  push(text) {
    const tokens = lex(text.slice(this.at));
    let last = tokens.length - 1;
    while (last > 0 && isSpace(tokens[last])) last--;
    const added = [];
    for (const token of tokens.slice(0, Math.max(0, last))) {
      this.at += token.raw.length;
      if (!isSpace(token)) added.push(block(token));
    }
    this.frozen.push(...added.map((each) => each.html));
    const tail = tokens[last];
    return { added, tail: tail && !isSpace(tail) ? block(tail) : null };
  }
}
