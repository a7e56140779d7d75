/** How full the model's context is: the conversation so far, the files and the words in the message box. */

import { isBlank } from "grokweb/blank.js";
import { find } from "grokweb/dom.js";
import { codePoints } from "grokweb/reducer.js";
import { fill, gettext, number } from "grokweb/words.js";

const SHOWN_FROM = 0.5; // of the context, when there are no files
const SHORTEST_ANSWER = 16; // tokens: as LEAST_ANSWER of inference/text/prompt.py
const FENCE = 24; // characters around a file, beside its name

/** As estimate_tokens of chat/core/text.py. */
const estimate = (text) => (!isBlank(text) ? Math.floor(new TextEncoder().encode(text).length / 3) + 4 : 0);
const sum = (files, of) => files.reduce((all, each) => all + of(each), 0);

export class Gauge {
  constructor(form, { maxChars }) {
    this.box = find("[data-gauge]", form);
    this.words = find("span", this.box);
    this.meter = find("meter", this.box);
    this.area = find("textarea", form);
    this.maxChars = maxChars;
    this.context = null;
    this.files = [];
    this.area.addEventListener("input", () => this.draw());
  }

  /** What the server says of the conversation: { tokens, exact, limit }. */
  set(context) {
    this.context = context;
    this.draw();
  }

  /** A worker has counted: exact. */
  counted({ prompt_tokens: prompt, completion_tokens: answer }) {
    if (this.context && prompt) this.set({ ...this.context, tokens: prompt + answer, exact: true });
  }

  carry(files) {
    this.files = files.filter((each) => each.state === "ready");
    this.draw();
  }

  /** Why a message with these files cannot go, or "". The same bound as check_length of chat/turns/services.py. */
  tooLong(text) {
    const n = codePoints(text) + sum(this.files, (each) => each.characters + codePoints(each.name) + FENCE);
    if (!this.files.length || n <= this.maxChars) return "";
    const { name } = this.largest();
    const values = { n: number(n), limit: number(this.maxChars), name };
    return fill(gettext("With its files this message has %(n)s characters; the model reads at most about %(limit)s. Remove “%(name)s” or shorten it."), values);
  }

  largest() {
    return this.files.reduce((most, each) => (each.tokens > most.tokens ? each : most));
  }

  draw() {
    const { context, files } = this;
    if (!context?.limit) { this.box.hidden = true; return; }
    const own = estimate(this.area.value) + sum(files, (each) => each.tokens);
    const all = context.tokens + own;
    this.box.hidden = !files.length && all < SHOWN_FROM * context.limit;
    this.meter.max = context.limit;
    this.meter.value = Math.min(all, context.limit);
    const over = own > context.limit - SHORTEST_ANSWER;
    this.box.classList.toggle("over", over);
    const words = this.sentence(all, own, over);
    if (this.words.textContent !== words) this.words.textContent = words;
  }

  sentence(all, own, over) {
    const { context, files } = this;
    const values = { n: number(all), limit: number(context.limit), own: number(own) };
    if (over && files.length) return fill(gettext("This message takes about %(own)s tokens; the model reads %(limit)s. Remove “%(name)s” if it does not fit."), { ...values, name: this.largest().name });
    if (over) return fill(gettext("This message takes about %(own)s tokens; the model reads %(limit)s. It may have to be shorter."), values);
    if (all > context.limit) return fill(gettext("about %(n)s of %(limit)s tokens: the oldest messages will be left out"), values);
    return fill(context.exact && !own ? gettext("%(n)s of %(limit)s tokens") : gettext("about %(n)s of %(limit)s tokens"), values);
  }
}
