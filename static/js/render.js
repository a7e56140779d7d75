/** A reply on the page: Markdown, sanitised last; finished blocks stay as they are, the tail is painted again. */

import DOMPurify from "vendor/dompurify.js";
import { Blocks, wholeText } from "grokweb/blocks.js";
import { decorate } from "grokweb/decorate.js";
import { morph } from "grokweb/morph.js";

const CLEAN = {
  ALLOWED_TAGS: [
    "a", "blockquote", "br", "code", "del", "div", "em", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p",
    "pre", "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
  ],
  ALLOWED_ATTR: ["align", "class", "href", "rel", "start", "target"],
  ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i, // asked of every attribute but these
  ADD_URI_SAFE_ATTR: ["align", "rel", "start", "target"],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};
const HOLDS_CARET = "p, ul, ol, li, blockquote, pre, .code, pre > code, h2, h3, h4, h5, h6, .table, table, tbody, tr, td";

const RESTING_MS = 1000; // without a new word

const fragment = (html) => DOMPurify.sanitize(html, CLEAN);

/** Takes a class of ours away without a trace. */
function unmark(node, name) {
  node?.classList.remove(name);
  if (node?.classList.length === 0) node.removeAttribute("class");
}

export class Markdown {
  constructor(element) {
    this.element = element;
    this.start();
  }

  start() {
    this.element.replaceChildren();
    this.blocks = new Blocks();
    this.text = "";
    this.tail = []; // nodes
    this.tailHtml = "";
    this.caretAt = null;
  }

  /** Paint a text that is still growing. */
  grow(text) {
    if (text !== this.text) this.flow();
    if (!text.startsWith(this.text)) this.start(); // fetched again from the beginning
    this.text = text;
    const { added, tail } = this.blocks.push(text);
    if (added.length) {
      this.clearTail();
      for (const each of added) this.append(each, "frozen");
    }
    if (tail && tail.html !== this.tailHtml) this.paintTail(tail);
    this.caret();
  }

  /** Paint a text that is finished: nothing moves unless a later line changed what an earlier one means. */
  finish(text) {
    clearTimeout(this.resting);
    unmark(this.element, "resting");
    if (!text.startsWith(this.text)) this.start();
    const whole = wholeText(text);
    const kept = this.blocks.frozen;
    const same = kept.length <= whole.length && kept.every((html, i) => html === whole[i].html);
    this.clearTail();
    if (!same) this.element.replaceChildren();
    for (const each of same ? whole.slice(kept.length) : whole) this.append({ ...each, open: false });
    this.text = text;
    this.blocks.frozen = whole.map((each) => each.html);
    unmark(this.caretAt, "caret");
    this.caretAt = null;
    for (const each of this.element.querySelectorAll(":scope > .frozen")) unmark(each, "frozen");
  }

  /** The dot at the end breathes when words are waited for: an animation is reckoned anew in every frame. */
  flow() {
    clearTimeout(this.resting);
    this.element.classList.remove("resting");
    this.resting = setTimeout(() => this.element.classList.add("resting"), RESTING_MS);
  }

  clearTail() {
    for (const node of this.tail) node.remove();
    this.tail = [];
    this.tailHtml = "";
  }

  /** "frozen" blocks out of sight cost nothing while the rest is written; see css/markdown.css. */
  append(block, name = null) {
    const nodes = fragment(block.html);
    decorate(nodes, block.open);
    if (name) for (const each of nodes.children) each.classList.add(name);
    this.element.append(nodes);
  }

  paintTail(tail) {
    const nodes = fragment(tail.html);
    this.tailHtml = tail.html;
    if (this.growCode(nodes)) return;
    decorate(nodes, true);
    const fresh = [...nodes.childNodes].filter((node) => node.nodeType === Node.ELEMENT_NODE || node.textContent.trim());
    if (fresh.length === this.tail.length && fresh.every((node, i) => morph(this.tail[i], node))) return;
    this.clearTail();
    this.tailHtml = tail.html;
    this.tail = fresh;
    this.element.append(...fresh);
  }

  /** A growing block of code keeps its frame, its scroll position and what the reader selected in it. */
  growCode(nodes) {
    const frame = this.tail.length === 1 && this.tail[0].classList?.contains("code") ? this.tail[0] : null;
    const fresh = nodes.childElementCount === 1 ? nodes.querySelector(":scope > pre > code") : null;
    const code = frame?.querySelector("code");
    return Boolean(fresh && code && code.className.replace(/ ?caret/, "") === fresh.className && morph(code, fresh));
  }

  /** The dot at the end of the text, in the innermost block that is last. */
  caret() {
    let at = this.element;
    const last = (node) => [...node.children].findLast((each) => each.matches(HOLDS_CARET));
    for (let next = last(at); next; next = last(at)) at = next;
    if (at === this.caretAt && at.classList.contains("caret")) return;
    unmark(this.caretAt, "caret");
    this.caretAt = at;
    if (at !== this.element) at.classList.add("caret");
  }
}
