/**
 * What a model thought before its answer: one line, with a clock while it thinks, and the text on request.
 */

import { duration } from "grokweb/base/format.js";
import { fill, gettext } from "grokweb/base/i18n.js";
import { el } from "grokweb/ui/dom.js";

const TICK_MS = 1000;

export class ThoughtsView {
  constructor() {
    this.words = el("span", {});
    this.text = el("div", { class: "thoughts-text", dir: "auto" });
    this.node = el("details", { class: "thoughts", hidden: true }, el("summary", {}, this.words), this.text);
    this.node.addEventListener("toggle", () => this.drawText());
    this.thoughts = "";
    this.spentMs = 0; // of stretches that have ended here; 0 for thoughts that were read from the server
    /** @type {number | null} performance.now() when the stretch began that is still being written */
    this.beganAt = null;
    /** @type {ReturnType<typeof setInterval> | undefined} */
    this.clock = undefined;
  }

  /**
   * Shows the thoughts among `parts`. `live`: the reply is being written, so that the last part may grow.
   * @param {{ kind: string, text: string }[]} parts @param {{ live: boolean }} options
   */
  update(parts, { live }) {
    this.thoughts = parts.filter((part) => part.kind === "thought").map((part) => part.text).join("\n\n");
    this.node.hidden = !this.thoughts;
    this.runClock(live && parts.at(-1)?.kind === "thought");
    this.drawWords();
    this.drawText();
  }

  /** @param {boolean} thinking */
  runClock(thinking) {
    if (thinking === (this.beganAt !== null)) return;
    if (this.beganAt !== null) this.spentMs += performance.now() - this.beganAt;
    this.beganAt = thinking ? performance.now() : null;
    clearInterval(this.clock);
    if (thinking) this.clock = setInterval(() => this.drawWords(), TICK_MS);
  }

  drawWords() {
    const words = this.wordsNow();
    if (this.words.textContent !== words) this.words.textContent = words;
  }

  wordsNow() {
    if (this.beganAt !== null) {
      if (!this.node.isConnected) clearInterval(this.clock); // its conversation was left
      const time = duration((this.spentMs + performance.now() - this.beganAt) / 1000);
      return fill(gettext("Thinking… %(time)s"), { time });
    }
    const time = duration(this.spentMs / 1000);
    return this.spentMs ? fill(gettext("Thought for %(time)s"), { time }) : gettext("Thoughts");
  }

  /** The text costs nothing while it is closed. */
  drawText() {
    if (this.node.open && this.text.textContent !== this.thoughts) this.text.textContent = this.thoughts;
  }
}
