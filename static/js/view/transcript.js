/**
 * Shows the messages on the page. Each has one view as long as it is shown; views are painted once a frame.
 *
 * @import { ReplyOptions } from "grokweb/wire/frames.js"
 * @import { ContextTurn, Model, ShownMessage } from "grokweb/wire/objects.js"
 * @import { Replies, TrackedReply } from "grokweb/state/replies.js"
 * @import { FollowScroll } from "grokweb/ui/follow_scroll.js"
 *
 * @typedef {object} MessageActions  what the buttons of messages do
 * @property {Model[]} models  all that may be chosen
 * @property {(message: ShownMessage, params?: ReplyOptions) => void} regenerate
 * @property {(message: ShownMessage, button: HTMLElement) => void} regenerateAs  asks for a persona first
 * @property {(message: ShownMessage) => void} continueReply
 * @property {(message: ShownMessage, text: string) => void} sendEdited
 * @property {(message: ShownMessage, text: string) => Promise<void>} saveEdited  stores another version of an
 *   answer; rejected if the server refuses it
 * @property {(message: ShownMessage) => void} chooseAnswer  of two side by side
 * @property {(message: ShownMessage) => void} stopReply
 * @property {() => boolean} mayAsk  whether nothing is being asked or written
 * @property {(message: ShownMessage, id: string, button: string) => Promise<boolean>} openVersion
 * @property {(message: ShownMessage) => void} remove
 * @property {(message: ShownMessage) => void} report
 * @property {(message: ShownMessage, value: number) => void} giveFeedback
 * @property {(message: ShownMessage, pinned: boolean) => Promise<void>} pin
 * @property {import("grokweb/view/summary_view.js").ChangeSummary} changeSummary
 * @property {(call: string, allow: boolean) => void} decide  whether a call of a tool may be made
 */

import { gettext } from "grokweb/base/i18n.js";
import { el } from "grokweb/ui/dom.js";
import { AnswerView } from "grokweb/view/answer_view.js";
import { QuestionView } from "grokweb/view/question_view.js";

export class Transcript {
  /** @param {HTMLElement} list @param {{ actions: MessageActions, follow: FollowScroll }} options */
  constructor(list, { actions, follow }) {
    this.list = list;
    this.actions = actions;
    this.follow = follow;
    /** @type {Map<string, QuestionView | AnswerView>} */
    this.views = new Map();
    /** @type {Set<AnswerView>} views whose reply has grown since the last frame */
    this.grown = new Set();
    this.frame = 0;
    /** The end of what the next prompt leaves out: a message's id, or "". */
    this.lastLeftOut = "";
    /** @type {Set<string>} */
    this.leftOut = new Set();
    this.border = el("p", { class: "left-out-border" }, gettext("The model will not read what is above with your next message."));
  }

  /**
   * Shows exactly these messages, in this order. `replies` has the text of those being written.
   * @param {ShownMessage[]} messages @param {Replies} replies
   */
  show(messages, replies) {
    const wanted = new Set(messages.map((each) => each.id));
    for (const [id, view] of this.views) {
      if (wanted.has(id)) continue;
      view.node.remove();
      this.views.delete(id);
    }
    /** @type {HTMLElement | null} */
    let before = null;
    messages.forEach((message, i) => {
      const view = this.viewOf(message);
      const next = before ? before.nextSibling : this.list.firstChild;
      if (view.node !== next) this.list.insertBefore(view.node, next);
      before = view.node;
      const isEnd = i === messages.length - 1 || Boolean(message.side);
      view.update(message, replies.get(message.id), isEnd);
    });
    this.list.classList.toggle("in-columns", messages.some((each) => each.side));
    this.drawLeftOut();
    this.follow.settle();
  }

  /**
   * Marks the turns that the next prompt will leave out, with a line below the last one.
   * @param {ContextTurn[]} turns
   */
  markLeftOut(turns) {
    this.leftOut = new Set(turns.flatMap((turn) => [turn.first, turn.last]));
    this.lastLeftOut = turns.at(-1)?.last ?? "";
    this.drawLeftOut();
  }

  drawLeftOut() {
    for (const [id, view] of this.views) view.node.classList.toggle("left-out", this.leftOut.has(id));
    const last = this.views.get(this.lastLeftOut)?.node;
    if (!last) this.border.remove();
    else if (this.border.parentNode !== last) last.append(this.border);
  }

  /** @param {ShownMessage} message */
  viewOf(message) {
    let view = this.views.get(message.id);
    if (!view) {
      view = message.role === "user" ? new QuestionView(this.actions) : new AnswerView(this.actions);
      this.views.set(message.id, view);
    }
    return view;
  }

  /**
   * Returns how far below the top of the window a message begins.
   * @param {string} id
   */
  topOf(id) {
    return this.views.get(id)?.node.getBoundingClientRect().top ?? 0;
  }

  /**
   * Scrolls until a message begins at `top`, and gives the focus to one of its buttons for other versions.
   * @param {string} id @param {number} top @param {string} name  of the button
   */
  putAt(id, top, name) {
    const node = this.views.get(id)?.node;
    if (!node) { this.follow.toEnd(); return; }
    this.follow.box.scrollTop += node.getBoundingClientRect().top - top;
    /** @type {NodeListOf<HTMLButtonElement>} */
    const buttons = node.querySelectorAll("[data-version]");
    const enabled = [...buttons].filter((each) => !each.disabled);
    (enabled.find((each) => each.dataset.version === name) ?? enabled[0])?.focus({ preventScroll: true });
  }

  /**
   * Brings a message into sight and marks it for a moment.
   * @param {string} id
   */
  point(id) {
    const node = this.views.get(id)?.node;
    if (!node) return;
    this.follow.following = false;
    node.tabIndex = -1;
    node.scrollIntoView({ block: "center" });
    node.focus({ preventScroll: true });
    node.classList.add("pointed");
    node.addEventListener("animationend", () => node.classList.remove("pointed"), { once: true });
  }

  /**
   * Takes new words of a reply; they are painted with the next frame.
   * @param {TrackedReply} reply
   */
  grow(reply) {
    const view = this.views.get(reply.messageId);
    if (!(view instanceof AnswerView)) return;
    view.reply = reply;
    this.grown.add(view);
    this.frame ||= requestAnimationFrame(() => this.paint());
  }

  paint() {
    this.frame = 0;
    for (const view of this.grown) view.paint();
    this.grown.clear();
    this.follow.settle();
  }
}
