/**
 * The line above each of two answers that stand side by side: which model writes it, and whether the next
 * question follows it.
 *
 * @import { ShownMessage } from "grokweb/wire/objects.js"
 * @import { MessageActions } from "grokweb/view/transcript.js"
 */

import { gettext } from "grokweb/base/i18n.js";
import { el, findOptional } from "grokweb/ui/dom.js";
import { textButton } from "grokweb/view/tool_button.js";

export class ColumnHead {
  /** @param {MessageActions} actions */
  constructor(actions) {
    this.actions = actions;
    this.node = el("div", { class: "column-head", hidden: true });
    /** @type {string} what is drawn */
    this.drawn = "";
  }

  /** @param {ShownMessage} message */
  update(message) {
    const { id, side, status, generation, pending } = message;
    const key = side ? JSON.stringify([id, side, status, generation?.model]) : "";
    if (key === this.drawn) return;
    this.drawn = key;
    const hadFocus = this.node.contains(document.activeElement);
    this.node.hidden = !side;
    this.node.replaceChildren();
    if (!side) return;
    const slug = generation?.model ?? "";
    const name = this.actions.models.find((each) => each.slug === slug)?.name ?? slug;
    this.node.append(el("b", { dir: "auto" }, name));
    if (side === "chosen") {
      this.node.append(el("span", { class: "hint" }, gettext("Your next message follows this answer.")));
    } else if (!pending) {
      this.node.append(textButton(gettext("Continue with this one"), () => this.actions.chooseAnswer(message)));
    }
    if (status === "live" && message.siblings) {
      const stop = textButton(gettext("Stop"), () => { stop.disabled = true; this.actions.stopReply(message); });
      this.node.append(stop);
    }
    if (hadFocus) findOptional("button", this.node)?.focus({ preventScroll: true });
  }
}
