/**
 * Splits a growing text into blocks: finished ones are returned once, only the unfinished tail again and
 * again.
 *
 * @import { Tokens } from "vendor/marked.js"
 * @typedef {{ type: string, html: string, open: boolean }} Block  open: code whose fence has no end yet
 */

import { lex, lexPart, oneLineEnd, toHtml } from "grokweb/markdown/markdown.js";

/** @param {Tokens.Generic} token */
const isSpace = (token) => token.type === "space";
/** @param {Tokens.Generic} token @returns {Block} */
const block = (token) => ({ type: token.type, html: toHtml([token]), open: isOpen(token) });

/** A fence has no end yet; its code is not coloured until it has. @param {Tokens.Generic} token */
const isOpen = (token) => token.type === "code" && /^ {0,3}(`{3,}|~{3,})/.test(token.raw) && !closed(token.raw);

/** @param {string} raw */
function closed(raw) {
  const fence = /^ {0,3}(`{3,}|~{3,})/.exec(raw)?.[1] ?? "";
  const last = raw.trimEnd().split("\n").slice(1).at(-1)?.trim() ?? "";
  return last.length >= fence.length && last === fence[0].repeat(last.length);
}

/** Returns the blocks of a finished text. @param {string} text */
export const wholeText = (text) => lex(text).filter((token) => !isSpace(token)).map(block);

export class Blocks {
  constructor() {
    /** @type {string[]} the HTML of every finished block */
    this.frozen = [];
    this.at = 0; // where the tail begins
  }

  /**
   * Returns the blocks finished since the last call, and the unfinished one or null. `text` only ever grows.
   * @param {string} text
   * @returns {{ added: Block[], tail: Block | null }}
   */
  push(text) {
    const whole = oneLineEnd(text);
    const tokens = lexPart(whole.slice(this.at));
    let last = tokens.length - 1;
    while (last > 0 && isSpace(tokens[last])) last--;
    const added = [];
    let done = 0;
    for (; done < last; done += 1) {
      const token = tokens[done];
      if (!whole.startsWith(token.raw, this.at)) break; // a place that is not certain would cost letters
      this.at += token.raw.length;
      if (!isSpace(token)) added.push(block(token));
    }
    this.frozen.push(...added.map((each) => each.html));
    const rest = tokens.slice(done).filter((token) => !isSpace(token));
    const unfinished = rest.at(-1);
    return { added, tail: unfinished ? { ...block(unfinished), html: toHtml(rest) } : null };
  }
}
