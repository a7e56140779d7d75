/**
 * What a model thought before its answer: one line, with a clock while it thinks, and the text on request.
 * The worker's measurements say how long it thought, so that all tabs agree; between two pieces of a thought
 * the page's own clock goes on from there.
 */

import { duration } from "grokweb/base/format.js";
import { fill, gettext } from "grokweb/base/i18n.js";
import { el } from "grokweb/ui/dom.js";

const TICK_MS = 1000;
const SHORTEST_MS = 1000; // shown; "0 s" would say that it did not think

/** @param {{ duration_ms?: number }[]} parts */
const sum = (parts) => parts.reduce((total, part) => total + (part.duration_ms ?? 0), 0);

export class ThoughtsView {
  constructor() {
    this.words = el("span", {});
    this.text = el("div", { class: "thoughts-text", dir: "auto" });
    this.node = el("details", { class: "thoughts", hidden: true }, el("summary", {}, this.words), this.text);
    this.node.addEventListener("toggle", () => this.drawText());
    this.thoughts = "";
    this.knownMs = 0; // as the worker measured it
    /** @type {number | null} performance.now() when `knownMs` was new, while a thought is being written */
    this.knownAt = null;
    /** @type {ReturnType<typeof setInterval> | undefined} */
    this.clock = undefined;
  }

  /**
   * Shows the thoughts among `parts`. `live`: the reply is being written, so that the last part may grow.
   * @param {{ kind: string, text: string, duration_ms?: number }[]} parts @param {{ live: boolean }} options
   */
  update(parts, { live }) {
    const thoughts = parts.filter((part) => part.kind === "thought");
    this.thoughts = thoughts.map((part) => part.text).join("\n\n");
    this.node.hidden = !this.thoughts;
    this.runClock(live && parts.at(-1)?.kind === "thought", sum(thoughts));
    this.drawWords();
    this.drawText();
  }

  /** @param {boolean} thinking @param {number} knownMs */
  runClock(thinking, knownMs) {
    const isTicking = this.knownAt !== null;
    if (!thinking) this.knownAt = null;
    else if (!isTicking || knownMs !== this.knownMs) this.knownAt = performance.now();
    this.knownMs = knownMs;
    if (thinking === isTicking) return;
    clearInterval(this.clock);
    if (thinking) this.clock = setInterval(() => this.drawWords(), TICK_MS);
  }

  drawWords() {
    const words = this.wordsNow();
    if (this.words.textContent !== words) this.words.textContent = words;
  }

  wordsNow() {
    if (this.knownAt !== null) {
      if (!this.node.isConnected) clearInterval(this.clock); // its conversation was left
      const time = duration((this.knownMs + performance.now() - this.knownAt) / 1000);
      return fill(gettext("Thinking… %(time)s"), { time });
    }
    if (!this.knownMs) return gettext("Thoughts");
    const time = duration(Math.max(SHORTEST_MS, this.knownMs) / 1000);
    return fill(gettext("Thought for %(time)s"), { time });
  }

  /** The text costs nothing while it is closed. */
  drawText() {
    if (this.node.open && this.text.textContent !== this.thoughts) this.text.textContent = this.thoughts;
  }
}
