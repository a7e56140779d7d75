/**
 * Shows an answer: its text while it is written and afterwards, why it is not whole, and its buttons.
 *
 * @import { Reply } from "grokweb/state/reducer.js"
 * @import { TrackedReply } from "grokweb/state/replies.js"
 * @import { ShownMessage } from "grokweb/wire/objects.js"
 * @import { MessageActions } from "grokweb/view/transcript.js"
 */

import { number } from "grokweb/base/format.js";
import { fill, gettext } from "grokweb/base/i18n.js";
import { continuing } from "grokweb/state/reducer.js";
import { copyText } from "grokweb/ui/clipboard.js";
import { el, findOptional } from "grokweb/ui/dom.js";
import { answerMenu } from "grokweb/view/answer_menu.js";
import { CallsView } from "grokweb/view/calls_view.js";
import { ColumnHead } from "grokweb/view/column_head.js";
import { MarkdownView } from "grokweb/view/markdown_view.js";
import { answerWords, editInPlace } from "grokweb/view/message_editor.js";
import {
  hasBeginning, longerLimit, originOf, outcome, waiting, wasCut,
} from "grokweb/view/message_status.js";
import { pinnedLine } from "grokweb/view/pinned_line.js";
import { portableHtml } from "grokweb/view/portable_html.js";
import { SummaryView } from "grokweb/view/summary_view.js";
import { ThoughtsView } from "grokweb/view/thoughts_view.js";
import { moreButton, textButton, toolButton } from "grokweb/view/tool_button.js";
import { versionSwitch } from "grokweb/view/version_switch.js";

/** Fields that change what a finished answer shows. @type {(keyof ShownMessage)[]} */
const SHOWN_FIELDS = [
  "text", "parts", "calls", "status", "hidden", "words", "reason", "restarted", "siblings", "differs",
  "side",
];

const RESTARTED = () => gettext("This answer was interrupted and started again from its beginning.");

/** @param {ShownMessage} a @param {ShownMessage} b */
const looksAlike = (a, b) => SHOWN_FIELDS.every((key) => JSON.stringify(a[key]) === JSON.stringify(b[key]));

export class AnswerView {
  /** @param {MessageActions} actions */
  constructor(actions) {
    this.actions = actions;
    /** @type {ShownMessage | null} */
    this.message = null;
    /** @type {TrackedReply | undefined} */
    this.reply = undefined;
    this.last = false;
    /** @type {HTMLButtonElement[]} */
    this.thumbs = [];
    this.head = new ColumnHead(actions);
    this.origin = el("p", { class: "origin", dir: "auto", hidden: true });
    this.restarted = el("p", { class: "origin", hidden: true });
    this.thoughts = new ThoughtsView();
    this.calls = new CallsView((call, allow) => actions.decide(call, allow));
    this.body = el("div", { class: "body markdown", dir: "auto" });
    this.wait = el("p", { class: "waiting", hidden: true });
    this.end = el("div", { class: "outcome", hidden: true });
    this.pinned = pinnedLine();
    this.tools = el("div", { class: "tools" });
    this.summary = new SummaryView(actions.changeSummary);
    this.node = el(
      "li", { class: "message assistant" },
      el("span", { class: "sr-only" }, gettext("Answer:")),
      this.head.node, this.origin, this.restarted, this.thoughts.node, this.calls.node, this.body, this.wait,
      this.end, this.pinned, this.tools, this.summary.node,
    );
    this.markdown = new MarkdownView(this.body);
  }

  /**
   * @param {ShownMessage} message @param {TrackedReply | undefined} reply @param {boolean} last  on the page
   */
  update(message, reply, last) {
    const changed = !this.message || last !== this.last || !looksAlike(this.message, message);
    this.message = message;
    this.reply = reply;
    this.last = last;
    this.head.update(message);
    this.node.classList.toggle("last", last);
    this.node.classList.toggle("column-answer", Boolean(message.side));
    this.origin.textContent = message.hidden ? "" : originOf(message);
    this.origin.hidden = !this.origin.textContent;
    this.markRestart(message, reply);
    this.pinned.hidden = !message.pinned;
    this.summary.update(message);
    if (changed || message.status === "live") this.paint();
    this.showFeedback();
  }

  /** @param {ShownMessage} message @param {TrackedReply | undefined} reply */
  markRestart(message, reply) {
    const restarted = message.restarted || (message.status === "live" && (reply?.run ?? 0) > 0);
    const words = restarted && !message.hidden ? RESTARTED() : "";
    if (this.restarted.textContent !== words) this.restarted.textContent = words;
    this.restarted.hidden = !words;
  }

  paint() {
    const { message, reply } = this;
    if (!message) return;
    const isLive = message.status === "live";
    this.calls.update(message.hidden ? [] : message.calls ?? [], { live: isLive });
    if (!isLive) this.settle(message);
    else if (reply) {
      // While it waits for its first token, a thought that it continues does not grow.
      const thinks = reply.parts.length > 0;
      this.thoughts.update(continuing(message.parts ?? [], reply.parts), { live: thinks });
      this.markdown.grow(message.text + reply.text);
      this.showWaiting(reply.text ? null : reply.place);
    } else {
      this.thoughts.update(message.parts ?? [], { live: false });
      if (message.text) this.markdown.grow(message.text);
      this.showWaiting(null);
    }
    this.node.setAttribute("aria-busy", String(isLive));
  }

  /** @param {Reply["place"]} place  in the queue */
  showWaiting(place) {
    const words = waiting(place);
    this.wait.hidden = Boolean(this.reply?.text);
    if (this.wait.textContent !== words) this.wait.textContent = words;
    this.end.hidden = true;
    this.tools.hidden = true;
  }

  /**
   * Shows the finished answer.
   * @param {ShownMessage} message
   */
  settle(message) {
    const text = message.hidden ? "" : message.text;
    this.wait.hidden = true;
    this.thoughts.update(message.hidden ? [] : message.parts ?? [], { live: false });
    this.markdown.finish(text);
    const words = outcome(message, message.words);
    const cutInText = message.reason === "length" && text !== "";
    const retry = this.last && !message.hidden && words !== "" && !cutInText;
    this.drawEnd(message, words, retry);
    this.drawTools(message, text, retry);
    this.showFeedback();
  }

  /** @param {ShownMessage} message @param {string} words @param {boolean} retry */
  drawEnd(message, words, retry) {
    const { models, regenerate, continueReply } = this.actions;
    const canContinue = this.last && !message.hidden && wasCut(message) && hasBeginning(message);
    this.end.hidden = !words && !canContinue;
    this.end.className = `outcome${message.status === "failed" ? " bad" : ""}`;
    this.end.replaceChildren(el("span", {}, words));
    if (retry) this.end.append(textButton(gettext("Ask again"), () => regenerate(message)));
    const longer = retry ? longerLimit(message, models) : null;
    if (longer) {
      const label = fill(gettext("Ask again with up to %(n)s tokens"), { n: number(longer) });
      this.end.append(textButton(label, () => regenerate(message, { max_tokens: longer })));
    }
    if (canContinue) this.end.append(textButton(gettext("Continue"), () => continueReply(message)));
  }

  /** @param {ShownMessage} message @param {string} text @param {boolean} retry */
  drawTools(message, text, retry) {
    const { regenerate, openVersion } = this.actions;
    this.tools.hidden = false;
    const tools = [message.side ? null : versionSwitch(message, openVersion)];
    if (text) {
      tools.push(toolButton("copy", gettext("Copy"), (label) => copyText(text, label, portableHtml(this.body))));
    }
    if (!retry && !message.hidden) tools.push(toolButton("again", gettext("Ask again"), () => regenerate(message)));
    // An imported answer is not the model's here: feedback on it would say nothing about the model.
    this.thumbs = text && !message.origin
      ? [this.thumb("good", gettext("Good answer"), 1), this.thumb("poor", gettext("Poor answer"), -1)]
      : [];
    const edit = () => this.edit();
    const more = moreButton(() => answerMenu(this.message ?? message, text, { ...this.actions, edit }, more));
    tools.push(...this.thumbs, more);
    this.tools.replaceChildren(...tools.filter((each) => each !== null));
  }

  edit() {
    const { message, actions, node } = this;
    if (!message || !actions.mayAsk()) return;
    node.classList.add("editing");
    editInPlace(this.body, message.text, {
      words: answerWords(),
      isSaveKey: (event) => event.key === "Enter" && (event.ctrlKey || event.metaKey),
      save: (text) => actions.saveEdited(message, text),
      closed: () => {
        node.classList.remove("editing");
        findOptional("[data-tool=more]", this.tools)?.focus({ preventScroll: true });
      },
    });
  }

  /**
   * Makes a button for feedback: one click gives it, another takes it back.
   * @param {string} name @param {string} words @param {number} value
   */
  thumb(name, words, value) {
    const button = toolButton(name, words, () => {
      if (this.message) this.actions.giveFeedback(this.message, value);
    });
    button.dataset.feedback = String(value);
    return button;
  }

  showFeedback() {
    for (const each of this.thumbs) {
      const value = this.message?.feedback ?? 0;
      each.setAttribute("aria-pressed", String(value === Number(each.dataset.feedback)));
    }
  }
}
