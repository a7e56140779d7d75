/** The messages on the page. One view a message, kept as long as the message is shown; painted once a frame. */

import { moreOf } from "grokweb/actions.js";
import { copyText, el, find, icon } from "grokweb/dom.js";
import { openMenu } from "grokweb/menu.js";
import { Markdown } from "grokweb/render.js";
import { date, gettext, outcome, waiting } from "grokweb/words.js";

const LONG_LINES = 14; // of a person's own message, before it folds
const LONG_CHARS = 900;

export class Transcript {
  /** `again(message)`, `report(message)`, `judge(message, value)` are what the buttons do; `follow` keeps the newest words in sight. */
  constructor(list, { again, report, judge, follow }) {
    Object.assign(this, { list, again, report, judge, follow });
    this.views = new Map();
    this.dirty = new Set();
    this.frame = 0;
  }

  /** Exactly these messages, in this order. `replies` gives the text of those being written. */
  show(messages, replies) {
    const wanted = new Set(messages.map((each) => each.id));
    for (const [id, view] of this.views) {
      if (wanted.has(id)) continue;
      view.node.remove();
      this.views.delete(id);
    }
    let before = null;
    messages.forEach((message, i) => {
      let view = this.views.get(message.id);
      if (!view) {
        view = message.role === "user" ? new Question(message) : new Answer(message, this);
        this.views.set(message.id, view);
      }
      const place = before ? before.nextSibling : this.list.firstChild;
      if (view.node !== place) this.list.insertBefore(view.node, place);
      before = view.node;
      view.update(message, replies.get(message.id), i === messages.length - 1);
    });
    this.follow.settle();
  }

  /** New words for one reply; painted with the next frame. */
  grow(reply) {
    const view = this.views.get(reply.messageId);
    if (!view) return;
    view.reply = reply;
    this.dirty.add(view);
    this.frame ||= requestAnimationFrame(() => this.paint());
  }

  paint() {
    this.frame = 0;
    for (const view of this.dirty) view.paint();
    this.dirty.clear();
    this.follow.settle();
  }
}

const tool = (name, words, run) => {
  const label = el("span", {}, words);
  const button = el("button", { type: "button", title: words }, icon(name), label);
  button.addEventListener("click", () => run(label));
  return button;
};

class Question {
  constructor(message) {
    this.body = el("div", { class: "body", dir: "auto" });
    this.state = el("p", { class: "state" });
    const at = message.created_at && el("time", { datetime: message.created_at }, date(message.created_at, { dateStyle: "medium", timeStyle: "short" }));
    this.tools = el("div", { class: "tools" }, at || null, tool("copy", gettext("Copy"), (label) => copyText(this.message.text, label)));
    const said = el("span", { class: "sr-only" }, gettext("You:"));
    this.node = el("li", { class: "message user" }, said, this.body, this.state, this.tools);
  }

  update(message) {
    const text = message.hidden ? outcome(message) : message.text;
    if (this.body.textContent !== text) {
      this.body.textContent = text;
      if (text.length > LONG_CHARS || text.split("\n").length > LONG_LINES) this.fold();
    }
    this.message = message;
    this.node.classList.toggle("pending", Boolean(message.pending));
    this.state.hidden = !message.state;
    this.state.textContent = message.state ?? "";
    this.tools.hidden = Boolean(message.pending) || message.hidden;
  }

  fold() {
    this.node.classList.add("long");
    find(".unfold", this.node)?.remove();
    const button = el("button", { class: "text-button unfold", type: "button" }, gettext("Show all"));
    button.addEventListener("click", () => { this.node.classList.remove("long"); button.remove(); });
    this.body.after(button);
  }
}

class Answer {
  constructor(message, transcript) {
    this.transcript = transcript;
    this.body = el("div", { class: "body markdown", dir: "auto" });
    this.wait = el("p", { class: "waiting", hidden: true });
    this.end = el("div", { class: "outcome", hidden: true });
    this.tools = el("div", { class: "tools" });
    this.node = el("li", { class: "message assistant" }, el("span", { class: "sr-only" }, gettext("Answer:")), this.body, this.wait, this.end, this.tools);
    this.markdown = new Markdown(this.body);
  }

  update(message, reply, last) {
    const changed = !this.message || ["text", "status", "hidden", "words", "reason"].some((key) => this.message[key] !== message[key]);
    const moved = last !== this.last;
    Object.assign(this, { message, reply, last });
    this.node.classList.toggle("last", last);
    if (changed || moved || message.status === "live") this.paint();
  }

  paint() {
    const { message, reply } = this;
    if (message.status === "live" && reply) {
      this.markdown.grow(reply.text);
      this.waiting(reply.text ? null : reply.place);
    } else if (message.status === "live") this.waiting(null);
    else this.settle();
    this.node.setAttribute("aria-busy", String(message.status === "live"));
  }

  waiting(place) {
    const empty = !this.reply?.text;
    const words = waiting(place);
    this.wait.hidden = !empty;
    if (this.wait.textContent !== words) this.wait.textContent = words;
    this.end.hidden = true;
    this.tools.hidden = true;
  }

  settle() {
    const { message, last } = this;
    const text = message.hidden ? "" : message.text;
    this.wait.hidden = true;
    this.markdown.finish(text);
    const words = outcome(message, message.words);
    const retry = last && !message.hidden && words !== "" && message.reason !== "length";
    this.end.hidden = !words;
    this.end.className = `outcome${message.status === "failed" ? " bad" : ""}`;
    this.end.replaceChildren(el("span", {}, words));
    if (retry) {
      const button = el("button", { class: "text-button", type: "button" }, gettext("Ask again"));
      button.addEventListener("click", () => this.transcript.again(message));
      this.end.append(button);
    }
    this.tools.hidden = !text && !last;
    const tools = [];
    if (text) tools.push(tool("copy", gettext("Copy"), (label) => copyText(text, label)));
    if (last && !retry && !message.hidden) tools.push(tool("again", gettext("Ask again"), () => this.transcript.again(message)));
    if (text) tools.push(this.more(message));
    this.tools.replaceChildren(...tools);
  }

  /** The rest of what can be done, behind one button. */
  more(message) {
    const button = tool("more", gettext("More"), () => openMenu(button, moreOf(message, this.transcript)));
    button.setAttribute("aria-haspopup", "menu");
    button.setAttribute("aria-expanded", "false");
    return button;
  }
}

/** What stands under a message that has not reached the server yet. */
export const pendingState = (connected) =>
  connected ? "" : gettext("Not sent yet. It goes out as soon as the connection is back.");
