/** The messages on the page. One view a message, kept as long as the message is shown; painted once a frame. */

import { moreOf } from "grokweb/actions.js";
import { answerItems, edit, removeItem, versions } from "grokweb/branches.js";
import { copyText, el, find, icon } from "grokweb/dom.js";
import { drawCarried } from "grokweb/files.js";
import { openMenu } from "grokweb/menu.js";
import { Markdown } from "grokweb/render.js";
import { date, gettext, originOf, outcome, waiting } from "grokweb/words.js";

const LONG_LINES = 14; // of a person's own message, before it folds
const LONG_CHARS = 900;

export class Transcript {
  /**
   * `does` is what the buttons do: again(message, params), goOn(message), edited(message, text), open(message, id, way),
   * remove(message), report(message), judge(message, value), and `models`, all there are. `follow` keeps the newest words in sight.
   */
  constructor(list, { does, follow }) {
    Object.assign(this, { list, does, follow });
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
        view = message.role === "user" ? new Question(message, this) : new Answer(message, this);
        this.views.set(message.id, view);
      }
      const place = before ? before.nextSibling : this.list.firstChild;
      if (view.node !== place) this.list.insertBefore(view.node, place);
      before = view.node;
      view.update(message, replies.get(message.id), i === messages.length - 1);
    });
    this.follow.settle();
  }

  /** How far below the top of the window a message begins. */
  topOf(id) {
    return this.views.get(id)?.node.getBoundingClientRect().top ?? 0;
  }

  /** Scrolls until a message begins there, and gives the focus to its button for the other versions. */
  putAt(id, top, way) {
    const node = this.views.get(id)?.node;
    if (!node) { this.follow.toEnd(); return; }
    this.follow.box.scrollTop += node.getBoundingClientRect().top - top;
    const all = [...node.querySelectorAll("[data-version]")];
    (all.find((each) => each.dataset.version === way && !each.disabled) ?? all.find((each) => !each.disabled))?.focus({ preventScroll: true });
  }

  /** Brings a message into sight and says which one it is. */
  point(id) {
    const node = this.views.get(id)?.node;
    if (!node) return;
    this.follow.held = false;
    node.tabIndex = -1;
    node.scrollIntoView({ block: "center" });
    node.focus({ preventScroll: true });
    node.classList.add("pointed");
    node.addEventListener("animationend", () => node.classList.remove("pointed"), { once: true });
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

function moreButton(items) {
  const button = tool("more", gettext("More"), () => openMenu(button, items()));
  button.setAttribute("aria-haspopup", "menu");
  button.setAttribute("aria-expanded", "false");
  return button;
}

class Question {
  constructor(message, transcript) {
    this.transcript = transcript;
    this.body = el("div", { class: "body", dir: "auto" });
    this.files = el("ul", { class: "carried", "aria-label": gettext("Files"), hidden: true });
    this.state = el("p", { class: "state" });
    this.tools = el("div", { class: "tools" });
    const said = el("span", { class: "sr-only" }, gettext("You:"));
    this.node = el("li", { class: "message user" }, said, this.files, this.body, this.state, this.tools);
  }

  update(message) {
    const text = message.hidden ? outcome(message) : message.text;
    if (this.body.textContent !== text) {
      this.body.textContent = text;
      if (text.length > LONG_CHARS || text.split("\n").length > LONG_LINES) this.fold();
    }
    const carried = String(message.files?.map((each) => each.id));
    if (this.carried !== carried) drawCarried(this.files, message.files);
    this.carried = carried;
    const moved = String(this.message?.siblings) !== String(message.siblings) || !this.message;
    this.message = message;
    if (moved) this.drawTools();
    this.node.classList.toggle("pending", Boolean(message.pending));
    this.state.hidden = !message.state;
    this.state.textContent = message.state ?? "";
    if (message.takeBack) {
      const button = el("button", { class: "text-button", type: "button" }, gettext("Take back"));
      button.addEventListener("click", message.takeBack);
      this.state.append(" ", button);
    }
    this.tools.hidden = Boolean(message.pending);
  }

  drawTools() {
    const { message, transcript: { does } } = this;
    const at = message.created_at && el("time", { datetime: message.created_at }, date(message.created_at, { dateStyle: "medium", timeStyle: "short" }));
    const tools = [at || null, versions(message, does.open)];
    if (!message.hidden) {
      tools.push(tool("copy", gettext("Copy"), (label) => copyText(this.message.text, label)));
      tools.push(tool("pencil", gettext("Edit"), () => this.edit()));
    }
    tools.push(moreButton(() => [removeItem(this.message, does.remove)]));
    this.tools.replaceChildren(...tools.filter(Boolean));
  }

  edit() {
    if (!this.transcript.does.mayAsk()) return;
    this.node.classList.add("editing");
    edit(this.body, this.message.text, {
      send: (text) => this.transcript.does.edited(this.message, text),
      closed: () => { this.node.classList.remove("editing"); find("[title]", this.tools)?.focus({ preventScroll: true }); },
    });
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
    this.origin = el("p", { class: "origin", dir: "auto", hidden: true });
    this.body = el("div", { class: "body markdown", dir: "auto" });
    this.wait = el("p", { class: "waiting", hidden: true });
    this.end = el("div", { class: "outcome", hidden: true });
    this.tools = el("div", { class: "tools" });
    this.node = el("li", { class: "message assistant" }, el("span", { class: "sr-only" }, gettext("Answer:")), this.origin, this.body, this.wait, this.end, this.tools);
    this.markdown = new Markdown(this.body);
  }

  update(message, reply, last) {
    const changed = !this.message || ["text", "status", "hidden", "words", "reason", "siblings"].some((key) => String(this.message[key]) !== String(message[key]));
    const moved = last !== this.last;
    Object.assign(this, { message, reply, last });
    this.node.classList.toggle("last", last);
    this.origin.textContent = message.hidden ? "" : originOf(message);
    this.origin.hidden = !this.origin.textContent;
    if (changed || moved || message.status === "live") this.paint();
  }

  paint() {
    const { message, reply } = this;
    if (message.status === "live" && reply) {
      this.markdown.grow(message.text + reply.text);
      this.waiting(reply.text ? null : reply.place);
    } else if (message.status === "live") {
      if (message.text) this.markdown.grow(message.text);
      this.waiting(null);
    } else this.settle();
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
    const { message, last, transcript: { does } } = this;
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
      button.addEventListener("click", () => does.again(message));
      this.end.append(button);
    }
    if (last && text && wasCut(message)) {
      const button = el("button", { class: "text-button", type: "button" }, gettext("Continue"));
      button.addEventListener("click", () => does.goOn(message));
      this.end.hidden = false;
      this.end.append(button);
    }
    this.tools.hidden = false;
    const tools = [versions(message, does.open)];
    if (text) tools.push(tool("copy", gettext("Copy"), (label) => copyText(text, label)));
    if (!retry && !message.hidden) tools.push(tool("again", gettext("Ask again"), () => does.again(message)));
    this.more = moreButton(() => this.items(text));
    tools.push(this.more);
    this.tools.replaceChildren(...tools.filter(Boolean));
  }

  /** The rest of what can be done, behind one button. */
  items(text) {
    const { message, transcript: { does } } = this;
    if (message.hidden) return [removeItem(message, does.remove)];
    return [...(text ? moreOf(message, does) : []), ...answerItems(message, does, this.more)];
  }
}

/** Whether there may be more to say: the limit was reached, somebody stopped it, or it broke off. */
const wasCut = (message) => message.reason === "length" || ["stopped", "failed"].includes(message.status);

/** What stands under a message that has not reached the server yet. */
export const pendingState = (connected) =>
  connected ? "" : gettext("Not sent yet. It goes out as soon as the connection is back.");
