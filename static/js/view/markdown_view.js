/**
 * An answer on the page: Markdown, sanitised last. Finished blocks stay as they are, the tail is painted
 * again.
 */

import DOMPurify from "vendor/dompurify.js";
import { Blocks, wholeText } from "grokweb/markdown/blocks.js";
import { decorate } from "grokweb/view/decorate.js";
import { morph } from "grokweb/view/morph.js";
import { addPreviewButtons } from "grokweb/view/preview_buttons.js";

/** @import { Block } from "grokweb/markdown/blocks.js" */

const CLEAN = {
  ALLOWED_TAGS: [
    "a", "blockquote", "br", "code", "del", "details", "div", "em", "h2", "h3", "h4", "h5", "h6", "hr",
    "li", "ol", "p", "pre", "span", "strong", "summary", "sup", "table", "tbody", "td", "th", "thead", "tr",
    "ul",
  ],
  ALLOWED_ATTR: ["align", "class", "dir", "href", "open", "rel", "start", "target"],
  // tested on every attribute but these
  ALLOWED_URI_REGEXP: /^(?:(?:https?|mailto):|#note-0-\d+(?:-back)?$)/i,
  ADD_URI_SAFE_ATTR: ["align", "dir", "open", "rel", "start", "target"],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
};
const HOLDS_CARET = [
  "p, ul, ol, li, blockquote, details, .notes, pre, .code, pre > code",
  "h2, h3, h4, h5, h6, .table, table, tbody, tr, td",
].join(", ");

const RESTING_MS = 1000; // without a new word

/** @param {string} html */
const fragmentOf = (html) => DOMPurify.sanitize(html, { ...CLEAN, RETURN_DOM_FRAGMENT: true });

/** @param {Node} node @returns {node is Element} */
const isElement = (node) => node.nodeType === Node.ELEMENT_NODE;

/**
 * Removes a class of ours without a trace.
 * @param {Element | null} node @param {string} name
 */
function unmark(node, name) {
  node?.classList.remove(name);
  if (node?.classList.length === 0) node.removeAttribute("class");
}

export class MarkdownView {
  /** @param {HTMLElement} element */
  constructor(element) {
    this.element = element;
    this.blocks = new Blocks();
    this.text = "";
    /** @type {ChildNode[]} the nodes of the unfinished block */
    this.tail = [];
    this.tailHtml = "";
    /** @type {Element | null} */
    this.caretAt = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.resting = undefined;
    this.start();
  }

  start() {
    this.element.replaceChildren();
    this.blocks = new Blocks();
    this.text = "";
    this.tail = [];
    this.tailHtml = "";
    this.caretAt = null;
  }

  /**
   * Paints a text that is still growing.
   * @param {string} text
   */
  grow(text) {
    if (text !== this.text) this.restLater();
    if (!text.startsWith(this.text)) this.start(); // fetched again from the beginning
    this.text = text;
    const { added, tail } = this.blocks.push(text);
    if (added.length) {
      this.clearTail();
      for (const each of added) this.append(each, "frozen");
    }
    if (tail && tail.html !== this.tailHtml) this.paintTail(tail);
    this.markCaret();
  }

  /**
   * Paints a text that is finished: nothing moves unless a later line changed what an earlier one means.
   * @param {string} text
   */
  finish(text) {
    clearTimeout(this.resting);
    unmark(this.element, "resting");
    if (!text.startsWith(this.text)) this.start();
    const whole = wholeText(text);
    const { frozen } = this.blocks;
    const same = frozen.length <= whole.length && frozen.every((html, i) => html === whole[i].html);
    this.clearTail();
    if (!same) this.element.replaceChildren();
    for (const each of same ? whole.slice(frozen.length) : whole) this.append({ ...each, open: false });
    this.text = text;
    this.blocks.frozen = whole.map((each) => each.html);
    unmark(this.caretAt, "caret");
    this.caretAt = null;
    for (const each of this.element.querySelectorAll(":scope > .frozen")) unmark(each, "frozen");
    if (this.element.querySelector(":scope > .notes")) this.linkNotes();
  }

  async linkNotes() {
    try {
      (await import("grokweb/view/footnote_links.js")).linkNotes(this.element);
    } catch (error) {
      console.warn("footnotes stay without links:", error); // they can be read all the same
    }
  }

  /**
   * Lets the dot at the end pulse when no word has come for a while: an animation costs work in every
   * frame.
   */
  restLater() {
    clearTimeout(this.resting);
    this.element.classList.remove("resting");
    this.resting = setTimeout(() => this.element.classList.add("resting"), RESTING_MS);
  }

  clearTail() {
    for (const node of this.tail) node.remove();
    this.tail = [];
    this.tailHtml = "";
  }

  /**
   * Adds a finished block. "frozen" blocks out of sight cost nothing while the rest is written:
   * css/markdown.css.
   * @param {Block} block @param {string | null} [name]  a class for its nodes
   */
  append(block, name = null) {
    const nodes = fragmentOf(block.html);
    decorate(nodes, block.open);
    if (!block.open) addPreviewButtons(nodes);
    if (name) for (const each of nodes.children) each.classList.add(name);
    this.element.append(nodes);
  }

  /** @param {Block} tail */
  paintTail(tail) {
    const nodes = fragmentOf(tail.html);
    this.tailHtml = tail.html;
    if (this.growCode(nodes)) return;
    decorate(nodes, true);
    const fresh = [...nodes.childNodes].filter((node) => isElement(node) || node.textContent?.trim());
    if (fresh.length === this.tail.length && fresh.every((node, i) => morph(this.tail[i], node))) return;
    this.clearTail();
    this.tailHtml = tail.html;
    this.tail = fresh;
    this.element.append(...fresh);
  }

  /**
   * Grows the last block of code in its frame, which keeps its scroll position and what the reader selected
   * in it. Returns whether that was possible.
   * @param {DocumentFragment} nodes
   */
  growCode(nodes) {
    const [only] = this.tail;
    const frame = this.tail.length === 1 && isElement(only) && only.classList.contains("code") ? only : null;
    const fresh = nodes.childElementCount === 1 ? nodes.querySelector(":scope > pre > code") : null;
    const code = frame?.querySelector("code");
    if (!fresh || !code || code.className.replace(/ ?caret/, "") !== fresh.className) return false;
    return morph(code, fresh);
  }

  /** Puts the dot at the end of the text, in the innermost block that is last. */
  markCaret() {
    /** @type {Element} */
    let at = this.element;
    const last = (/** @type {Element} */ node) =>
      [...node.children].findLast((each) => each.matches(HOLDS_CARET));
    for (let next = last(at); next; next = last(at)) at = next;
    if (at === this.caretAt && at.classList.contains("caret")) return;
    unmark(this.caretAt, "caret");
    this.caretAt = at;
    if (at !== this.element) at.classList.add("caret");
  }
}
