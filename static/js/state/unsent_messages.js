/**
 * Keeps messages in sessionStorage, so that a reload does not lose them: those that the server has not
 * acknowledged, and those that wait for the end of a reply, one for each conversation.
 *
 * @import { Pending } from "grokweb/state/chat_state.js"
 * @import { AttachedFile } from "grokweb/wire/objects.js"
 */

import { PersonalStorage } from "grokweb/base/storage.js";

/** @param {string} json @returns {any[]} */
function listOf(json) {
  try {
    return JSON.parse(json || "[]");
  } catch {
    return []; // incomplete, or written by something else
  }
}

export class PendingStorage {
  /** @param {string} user */
  constructor(user) {
    this.storage = new PersonalStorage(user, "unsent");
  }

  /** @param {Pending[]} pending */
  save(pending) {
    this.storage.set("asked", pending.length ? JSON.stringify(pending) : "");
  }

  /** @returns {Pending[]} */
  load() {
    return listOf(this.storage.get("asked"));
  }

  clear() {
    this.storage.clear();
  }
}

/** Holds one message for each conversation until the reply before it is complete; several become one. */
export class QueuedMessages {
  /** @param {string} user */
  constructor(user) {
    this.texts = new PersonalStorage(user, "queued", "lined");
    this.files = new PersonalStorage(user, "queued-files", "carried");
  }

  /** @param {string} conversation @param {string} text @param {AttachedFile[]} files */
  add(conversation, text, files) {
    this.texts.set(conversation, [this.texts.get(conversation), text.trim()].filter(Boolean).join("\n\n"));
    const all = [...this.filesOf(conversation), ...files];
    this.files.set(conversation, all.length ? JSON.stringify(all) : "");
  }

  /** @param {string} conversation @returns {AttachedFile[]} */
  filesOf(conversation) {
    return listOf(this.files.get(conversation));
  }

  /**
   * Returns what waits in a conversation, or null.
   * @param {string} conversation
   */
  get(conversation) {
    const content = this.texts.get(conversation);
    return content ? { content, files: this.filesOf(conversation) } : null;
  }

  /**
   * Returns what waits in a conversation and removes it.
   * @param {string} conversation
   */
  take(conversation) {
    const message = this.get(conversation);
    this.texts.set(conversation, "");
    this.files.set(conversation, "");
    return message;
  }

  clear() {
    this.texts.clear();
    this.files.clear();
  }
}
