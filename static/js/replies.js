/** The replies being written, in every conversation this tab knows of. The state is reducer.js's. */

import { apply, blank } from "grokweb/reducer.js";

export class Replies {
  /** `resume(id, after)` asks the server; `changed(reply)` after every step; `ended(reply)` once. */
  constructor({ resume, changed, ended }) {
    Object.assign(this, { resume, changed, ended });
    this.all = new Map();
  }

  get(id) {
    return this.all.get(id);
  }

  /** Follow a reply. `asked`: the server sends it without a resume, as after an ack. */
  track(id, generationId, conversation, { asked = false } = {}) {
    if (this.all.has(id)) return;
    this.all.set(id, { ...blank(id, generationId), conversation });
    if (!asked) this.resume(id, 0);
  }

  /** [id, last token held] of each. */
  live() {
    return [...this.all.values()].map((reply) => [reply.messageId, reply.seq]);
  }

  in(conversation) {
    return [...this.all.values()].filter((reply) => reply.conversation === conversation);
  }

  forget(id) {
    this.all.delete(id);
  }

  take(frame) {
    const before = this.all.get(frame.message_id);
    if (!before) return;
    const after = apply(before, frame);
    if (after === before) return;
    this.all.set(frame.message_id, after);
    if (after.resume !== null && (before.resume === null || after.tries > before.tries)) {
      this.resume(frame.message_id, after.resume);
    }
    if (after.status === "live") this.changed(after, frame);
    else {
      this.all.delete(frame.message_id);
      this.ended(after);
    }
  }
}
