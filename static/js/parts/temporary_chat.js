/**
 * Temporary chats: the switch on a new one, and the line above its messages with the ways to keep and to
 * delete it.
 *
 * @import { NewConversation } from "grokweb/wire/frames.js"
 * @import { Conversation } from "grokweb/wire/objects.js"
 */

import { find } from "grokweb/ui/dom.js";
import { call } from "grokweb/wire/api.js";

export class TemporaryChat {
  /**
   * @param {HTMLElement} main
   * @param {object} handlers
   * @param {(conversation: Conversation) => void} handlers.kept  it is a conversation like any other now
   * @param {(error: Error) => void} handlers.failed  it could not be kept
   * @param {(id: string) => void} handlers.remove  deletes it
   */
  constructor(main, { kept, failed, remove }) {
    this.kept = kept;
    this.failed = failed;
    /** @type {Conversation | null} */
    this.conversation = null;
    this.wanted = false; // of a new chat
    this.toggle = find("[data-temporary]", main);
    this.banner = find("[data-banner]", main);
    this.actions = find(".actions", this.banner);
    this.button = /** @type {HTMLButtonElement} */ (find("[data-keep]", this.banner));
    this.toggle.addEventListener("click", () => { this.wanted = !this.wanted; this.draw(); });
    this.button.addEventListener("click", () => this.keep());
    find("[data-delete]", this.banner).addEventListener("click", () => {
      if (this.conversation) remove(this.conversation.id);
    });
  }

  /**
   * Shows another conversation, or null for a new one; also to be called when it has changed.
   * @param {Conversation | null} conversation
   */
  open(conversation) {
    if (!conversation && this.conversation) this.wanted = false;
    this.conversation = conversation;
    this.draw();
  }

  get on() {
    return this.conversation ? this.conversation.temporary : this.wanted;
  }

  /**
   * Adds the choice to the options of a new chat.
   * @param {NewConversation | undefined} others
   * @returns {NewConversation | undefined}
   */
  newConversation(others) {
    return this.wanted ? { ...others, temporary: true } : others;
  }

  draw() {
    this.toggle.hidden = this.conversation !== null;
    this.toggle.setAttribute("aria-checked", String(this.wanted));
    this.banner.hidden = !this.on;
    this.actions.hidden = this.conversation === null;
  }

  async keep() {
    if (!this.conversation) return;
    const { id } = this.conversation;
    this.button.disabled = true;
    try {
      const { conversation } = await call("PATCH", `/api/conversations/${id}/`, { temporary: false });
      if (this.conversation?.id === id) this.open(conversation);
      this.kept(conversation);
    } catch (error) {
      this.failed(/** @type {Error} */ (error));
    } finally {
      this.button.disabled = false;
    }
  }
}
