/** The replies being written, in every conversation this tab knows of. The state is reducer.js's. */

import { apply, blank, reconnected } from "grokweb/reducer.js";

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

  /** [id, last token held] of each, for a new connection: what the old one was asked for is void. */
  live() {
    for (const [id, reply] of this.all) this.all.set(id, reconnected(reply));
    return [...this.all.values()].map((reply) => [reply.messageId, reply.seq]);
  }

  in(conversation) {
    return [...this.all.values()].filter((reply) => reply.conversation === conversation);
  }

  forget(id) {
    this.all.delete(id);
  }

  /** A frame about one of them; others are left alone. */
  take(frame) {
    const id = frame.message_id ?? frame.message?.id;
    const before = this.all.get(id);
    if (!before) return;
    const after = apply(before, frame);
    if (after === before) return;
    this.all.set(id, after);
    if (after.status !== "live") {
      this.all.delete(id);
      this.ended(after);
      return;
    }
    if (after.asks > before.asks) this.resume(id, after.resume);
    this.changed(after, frame);
  }
}
