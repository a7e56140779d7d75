/** Temporary chats: the switch on a new one, and the line above its messages with the ways to keep and to delete it. */

import { call } from "grokweb/api.js";
import { find } from "grokweb/dom.js";

export class Temporary {
  /** `kept(conversation)`: it has become one like any other; `failed(error)`: it has not; `unwanted(id)`: to be deleted. */
  constructor(main, { kept, failed, unwanted }) {
    Object.assign(this, { kept, failed });
    this.conversation = null;
    this.wanted = false; // of a new chat
    this.toggle = find("[data-temporary]", main);
    this.banner = find("[data-banner]", main);
    this.actions = find(".actions", this.banner);
    this.button = find("[data-keep]", this.banner);
    this.toggle.addEventListener("click", () => { this.wanted = !this.wanted; this.draw(); });
    this.button.addEventListener("click", () => this.keep());
    find("[data-delete]", this.banner).addEventListener("click", () => unwanted(this.conversation.id));
  }

  /** Another conversation, or null for a new one; also when it has changed. */
  open(conversation) {
    if (!conversation && this.conversation) this.wanted = false;
    this.conversation = conversation;
    this.draw();
  }

  get on() {
    return this.conversation ? this.conversation.temporary : this.wanted;
  }

  /** `start` of the frame that makes a conversation: what others want of it, and this. */
  start(others) {
    return this.wanted ? { ...others, temporary: true } : others;
  }

  draw() {
    this.toggle.hidden = this.conversation !== null;
    this.toggle.setAttribute("aria-checked", String(this.wanted));
    this.banner.hidden = !this.on;
    this.actions.hidden = this.conversation === null;
  }

  async keep() {
    const { id } = this.conversation;
    this.button.disabled = true;
    try {
      const { conversation } = await call("PATCH", `/api/conversations/${id}/`, { temporary: false });
      if (this.conversation?.id === id) this.open(conversation);
      this.kept(conversation);
    } catch (error) {
      this.failed(error);
    } finally {
      this.button.disabled = false;
    }
  }
}
