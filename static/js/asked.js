/** What this tab has asked for and not yet heard of, and what waits for an answer to end. A reload loses neither. */

import { Kept } from "grokweb/composer.js";
import { randomId } from "grokweb/socket.js";
import { pendingState } from "grokweb/transcript.js";
import { gettext } from "grokweb/words.js";

export class Asked {
  /** `view` is what is open ({ id, epoch, messages }); `ask(frame)` gives a frame to the socket. */
  constructor(user, view, ask) {
    Object.assign(this, { view, ask });
    this.pendings = new Map(); // client_id -> what was asked and not yet answered
    this.unsent = new Kept(user, "unsent");
    this.lined = new Kept(user, "lined"); // by conversation: what goes out when the answer is complete
    this.carried = new Kept(user, "carried"); // and its files
  }

  /** A question for `conversation` (null: a new one), below the message `parent`. Asked with `put`. */
  question(content, parent, { conversation = this.view.id, files = [], start } = {}) {
    return { type: "send", client_id: randomId(), conversation, parent, content, files, start, epoch: this.view.epoch };
  }

  put(pending) {
    this.pendings.set(pending.client_id, pending);
    this.save();
    const { type, client_id, conversation, parent, content, start, message_id, params } = pending;
    const files = pending.files?.length ? { files: pending.files.map((each) => each.id) } : {};
    this.ask(type === "send" ? { type, client_id, conversation, parent, content, ...files, ...(start && { start }) } : { type, client_id, message_id, ...(params && { params }) });
  }

  /** Another answer ("regenerate"), or more of one ("continue"). */
  beside(type, message, params) {
    this.put({ type, client_id: randomId(), conversation: this.view.id, message_id: message.id, epoch: this.view.epoch, params });
  }

  /** The server has answered: what was asked, if this tab asked it. */
  take(clientId) {
    const pending = this.pendings.get(clientId);
    this.pendings.delete(clientId);
    this.save();
    return pending;
  }

  save() {
    this.unsent.set("asked", this.pendings.size ? JSON.stringify([...this.pendings.values()]) : "");
  }

  /** Asks again for what the page before a reload had asked for. */
  restore() {
    const { view } = this;
    try {
      for (const pending of JSON.parse(this.unsent.get("asked") || "[]")) {
        this.put({ ...pending, epoch: pending.conversation === null && view.id === null ? view.epoch : -1 });
      }
    } catch {
      this.unsent.set("asked", ""); // not ours, or half written
    }
  }

  isHere(pending) {
    const { view } = this;
    return pending.conversation === null ? view.id === null && pending.epoch === view.epoch : pending.conversation === view.id;
  }

  get here() {
    return [...this.pendings.values()].filter((each) => this.isHere(each));
  }

  in(conversation) {
    return [...this.pendings.values()].some((each) => each.conversation === conversation);
  }

  line(text, files) {
    const { id } = this.view;
    this.lined.set(id, [this.lined.get(id), text.trim()].filter(Boolean).join("\n\n"));
    const all = [...this.filesOf(id), ...files];
    this.carried.set(id, all.length ? JSON.stringify(all) : "");
  }

  filesOf(conversation) {
    try {
      return JSON.parse(this.carried.get(conversation) || "[]");
    } catch {
      return []; // half written
    }
  }

  /** { content, files }, or null. */
  takeLine(conversation) {
    const content = this.lined.get(conversation);
    if (!content) return null;
    const files = this.filesOf(conversation);
    this.lined.set(conversation, "");
    this.carried.set(conversation, "");
    return { content, files };
  }

  /** Messages of the server, then what is not yet there. `takeBack(text)` gets the text of a waiting message back. */
  shown({ connected, wasConnected, takeBack }) {
    const { id, messages } = this.view;
    const list = [...messages];
    const state = pendingState(connected || !wasConnected);
    for (const pending of this.here) {
      let begun = "";
      if (pending.type === "send") {
        list.splice(pending.parent === null ? 0 : indexOr(list, pending.parent) + 1); // an edit takes the place of what was there
        list.push({ id: pending.client_id, role: "user", text: pending.content, files: pending.files, pending: true, state });
      } else { // so does another answer
        const at = indexOr(list, pending.message_id);
        if (pending.type === "continue") begun = list[at]?.text ?? "";
        list.splice(at);
      }
      if (connected || pending.type !== "send") list.push({ id: `${pending.client_id}-reply`, role: "assistant", text: begun, status: "live" });
    }
    const next = id && this.lined.get(id);
    if (next) {
      const state = gettext("Goes out when the answer is complete.");
      list.push({ id: "lined", role: "user", text: next, files: this.filesOf(id), pending: true, state, takeBack: () => takeBack(this.takeLine(id)) });
    }
    return list;
  }

  /** The next person at this computer finds nothing of this one. */
  clear() {
    this.unsent.clear();
    this.lined.clear();
    this.carried.clear();
  }
}

function indexOr(list, id) {
  const at = list.findIndex((each) => each.id === id);
  return at < 0 ? list.length : at;
}
