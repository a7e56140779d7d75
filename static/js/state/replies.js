/**
 * Tracks the replies being written, in every conversation this tab knows of. reducer.js computes their state.
 *
 * @import { Reply } from "grokweb/state/reducer.js"
 * @import { ServerFrame } from "grokweb/wire/frames.js"
 * @typedef {Reply & { conversation: string, column?: number }} TrackedReply
 */

import { apply, blank, messageIdOf, reconnected } from "grokweb/state/reducer.js";

export class Replies {
  /**
   * @param {object} handlers
   * @param {(messageId: string, after: number, run: number) => void} handlers.resume  asks the server for
   *   tokens
   * @param {(reply: TrackedReply, frame: ServerFrame) => void} handlers.changed  called after every step
   * @param {(reply: TrackedReply) => void} handlers.ended  called once
   */
  constructor({ resume, changed, ended }) {
    this.resume = resume;
    this.changed = changed;
    this.ended = ended;
    /** @type {Map<string, TrackedReply>} */
    this.all = new Map();
  }

  /** @param {string} id */
  get(id) {
    return this.all.get(id);
  }

  /**
   * Follows a reply. `subscribed`: the server sends it without a resume, as after an ack.
   * @param {string} id @param {string | undefined} generationId @param {string} conversation
   * @param {{ subscribed?: boolean, column?: number }} [options]  its column beside another answer
   */
  track(id, generationId, conversation, { subscribed = false, column } = {}) {
    if (this.all.has(id)) return;
    this.all.set(id, { ...blank(id, generationId), conversation, column });
    if (!subscribed) this.resume(id, 0, 0);
  }

  /**
   * Returns [id, last token held, its run] of each for a new connection, and voids what the old one was asked
   * for.
   * @returns {[string, number, number][]}
   */
  live() {
    for (const [id, reply] of this.all) this.all.set(id, reconnected(reply));
    return [...this.all.values()].map((reply) => [reply.messageId, reply.seq, reply.run]);
  }

  /** @param {string} conversation */
  in(conversation) {
    return [...this.all.values()].filter((reply) => reply.conversation === conversation);
  }

  /** @param {string} id */
  forget(id) {
    this.all.delete(id);
  }

  /**
   * Applies a frame to the reply it is about; frames about others change nothing.
   * @param {ServerFrame} frame
   */
  take(frame) {
    const id = messageIdOf(frame);
    const before = id === undefined ? undefined : this.all.get(id);
    if (id === undefined || !before) return;
    const after = apply(before, frame);
    if (after === before) return;
    this.all.set(id, after);
    if (after.status !== "live") {
      this.all.delete(id);
      this.ended(after);
      return;
    }
    if (after.asks > before.asks && after.resume !== null) this.resume(id, after.resume, after.run);
    this.changed(after, frame);
  }
}
