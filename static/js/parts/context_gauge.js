/**
 * Shows how full the model's context is: the conversation so far, the files and the words in the message box;
 * and which turns the next prompt will leave out.
 *
 * @import { AttachedFile, ContextTurn, ContextUse } from "grokweb/wire/objects.js"
 */

import { number } from "grokweb/base/format.js";
import { fill, gettext, ngettext } from "grokweb/base/i18n.js";
import { codePoints, isBlank } from "grokweb/base/text.js";
import { turnsLeftOut } from "grokweb/state/left_out.js";
import { find } from "grokweb/ui/dom.js";

const SHOWN_FROM = 0.5; // of the context, when there are no files
const NEARLY_FULL = 0.8; // of the context: as NEARLY_FULL of chat/turns/context_usage.py
const SHORTEST_ANSWER = 16; // tokens: as LEAST_ANSWER of inference/text/prompt.py
const FENCE = 24; // characters around a file, beside its name

/** Estimates tokens as estimate_tokens of chat/core/text.py does. @param {string} text */
const estimate = (text) => (!isBlank(text) ? Math.floor(new TextEncoder().encode(text).length / 3) + 4 : 0);

/** @param {AttachedFile[]} files @param {(file: AttachedFile) => number} of */
const sum = (files, of) => files.reduce((all, each) => all + of(each), 0);

export class ContextGauge {
  /**
   * @param {HTMLElement} form
   * @param {{ maxChars: number, leftOut?: (turns: ContextTurn[]) => void }} options  `leftOut`
   *   is told which turns the next prompt will leave out, whenever they are others
   */
  constructor(form, { maxChars, leftOut = () => {} }) {
    this.leftOut = leftOut;
    this.lastLeftOut = "";
    this.box = find("[data-gauge]", form);
    this.words = find("span", this.box);
    this.meter = find("meter", this.box);
    this.area = find("textarea", form);
    this.maxChars = maxChars;
    /** @type {ContextUse | null} */
    this.context = null;
    /** @type {AttachedFile[]} */
    this.files = [];
    this.area.addEventListener("input", () => this.draw());
  }

  /**
   * Takes what the server tells of the conversation.
   * @param {ContextUse} context
   */
  set(context) {
    this.context = context;
    this.draw();
  }

  /**
   * Takes the exact numbers that a worker has counted.
   * @param {{ prompt_tokens: number, completion_tokens: number }} usage
   */
  counted({ prompt_tokens: prompt, completion_tokens: answer }) {
    if (this.context && prompt) this.set({ ...this.context, tokens: prompt + answer, exact: true });
  }

  isNearlyFull() {
    const { tokens = 0, limit = 0 } = this.context ?? {};
    return limit > 0 && tokens >= NEARLY_FULL * limit;
  }

  /** @param {AttachedFile[]} files */
  setFiles(files) {
    this.files = files.filter((each) => each.state === "ready");
    this.draw();
  }

  /**
   * Returns why a message with these files cannot go, or "". check_length of chat/turns/question.py has the
   * same limit.
   * @param {string} text
   */
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
    const { tokens = 0, limit } = context ?? {};
    if (!context || !limit) { this.box.hidden = true; this.mark([]); return; }
    const own = estimate(this.area.value) + sum(files, (each) => each.tokens);
    const all = tokens + own;
    this.box.hidden = !files.length && all < SHOWN_FROM * limit;
    this.meter.max = limit;
    this.meter.value = Math.min(all, limit);
    const over = own > limit - SHORTEST_ANSWER;
    this.box.classList.toggle("over", over);
    const dropped = turnsLeftOut(context, all);
    this.mark(dropped);
    const words = this.sentence({ all, own, limit, over, exact: context.exact, dropped });
    if (this.words.textContent !== words) this.words.textContent = words;
  }

  /** @param {ContextTurn[]} dropped */
  mark(dropped) {
    const ids = dropped.map((turn) => turn.last).join(" ");
    if (ids === this.lastLeftOut) return;
    this.lastLeftOut = ids;
    this.leftOut(dropped);
  }

  /**
   * @param {object} use  in tokens
   * @param {number} use.all @param {number} use.own @param {number} use.limit
   * @param {boolean} use.over @param {boolean} use.exact @param {ContextTurn[]} use.dropped
   */
  sentence({ all, own, limit, over, exact, dropped }) {
    const percent = Math.round((100 * all) / limit);
    const values = { n: number(all), limit: number(limit), own: number(own), percent: number(percent) };
    if (over && this.files.length) {
      const words = gettext("This message takes about %(own)s tokens; the model reads %(limit)s. Remove “%(name)s” if it does not fit.");
      return fill(words, { ...values, name: this.largest().name });
    }
    if (over) {
      const words = gettext("This message takes about %(own)s tokens; the model reads %(limit)s. It may have to be shorter.");
      return fill(words, values);
    }
    if (dropped.length) {
      const name = dropped.at(-1)?.words ?? "";
      return fill(leftOutWords(dropped), { ...values, k: number(dropped.length), name });
    }
    if (all > limit) {
      return fill(gettext("about %(n)s of %(limit)s tokens: the oldest messages will be left out"), values);
    }
    const isExact = exact && !own;
    if (all >= NEARLY_FULL * limit) {
      return fill(isExact
        ? gettext("%(n)s of %(limit)s tokens: %(percent)s % full")
        : gettext("about %(n)s of %(limit)s tokens: %(percent)s % full"), values);
    }
    return fill(isExact ? gettext("%(n)s of %(limit)s tokens") : gettext("about %(n)s of %(limit)s tokens"), values);
  }
}

/** @param {ContextTurn[]} dropped */
function leftOutWords(dropped) {
  if (!dropped.at(-1)?.words) {
    return ngettext(
      "about %(n)s of %(limit)s tokens: %(k)s question and its answer, the oldest, will be left out",
      "about %(n)s of %(limit)s tokens: the %(k)s oldest questions and their answers will be left out",
      dropped.length,
    );
  }
  return ngettext(
    "about %(n)s of %(limit)s tokens: %(k)s question, “%(name)s”, will be left out",
    "about %(n)s of %(limit)s tokens: the %(k)s oldest questions, up to “%(name)s”, will be left out",
    dropped.length,
  );
}
