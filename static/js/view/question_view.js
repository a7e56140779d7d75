/**
 * A person's message: its files, its text as it was typed, and its buttons. A long one is collapsed.
 *
 * @import { ShownMessage } from "grokweb/wire/objects.js"
 * @import { MessageActions } from "grokweb/view/transcript.js"
 */

import { date } from "grokweb/base/format.js";
import { gettext } from "grokweb/base/i18n.js";
import { copyText } from "grokweb/ui/clipboard.js";
import { el, findOptional } from "grokweb/ui/dom.js";
import { isSendKey } from "grokweb/ui/enter_key.js";
import { pinItem, removeItem } from "grokweb/view/answer_menu.js";
import { decorate } from "grokweb/view/decorate.js";
import { drawFiles } from "grokweb/view/file_chips.js";
import { editInPlace, questionWords } from "grokweb/view/message_editor.js";
import { outcome } from "grokweb/view/message_status.js";
import { pinnedLine } from "grokweb/view/pinned_line.js";
import { moreButton, textButton, toolButton } from "grokweb/view/tool_button.js";
import { userTextNodes } from "grokweb/view/user_text_view.js";
import { versionSwitch } from "grokweb/view/version_switch.js";

const LONG_LINES = 14; // a longer message is collapsed
const LONG_CHARS = 900;

export class QuestionView {
  /** @param {MessageActions} actions */
  constructor(actions) {
    this.actions = actions;
    /** @type {ShownMessage | null} */
    this.message = null;
    /** @type {string | null} */
    this.text = null;
    /** @type {string | null} */
    this.drawnFiles = null;
    this.body = el("div", { class: "body markdown" });
    this.files = el("ul", { class: "message-files", "aria-label": gettext("Files"), hidden: true });
    this.state = el("p", { class: "state" });
    this.pinned = pinnedLine();
    this.tools = el("div", { class: "tools" });
    const said = el("span", { class: "sr-only" }, gettext("You:"));
    this.node = el(
      "li", { class: "message user" }, said, this.files, this.body, this.pinned, this.state, this.tools,
    );
  }

  /** @param {ShownMessage} message */
  update(message) {
    this.showText(message.hidden ? outcome(message) : message.text);
    const files = String(message.files?.map((each) => [each.id, each.words])); // staff may hide an image
    if (this.drawnFiles !== files) drawFiles(this.files, message.files);
    this.drawnFiles = files;
    const moved = !this.message || String(this.message.siblings) !== String(message.siblings);
    this.message = message;
    if (moved) this.drawTools(message);
    this.node.classList.toggle("pending", Boolean(message.pending));
    this.pinned.hidden = !message.pinned;
    this.state.hidden = !message.state;
    this.state.textContent = message.state ?? "";
    if (message.takeBack) this.state.append(" ", textButton(gettext("Take back"), message.takeBack));
    this.tools.hidden = Boolean(message.pending);
  }

  /** @param {string} text */
  showText(text) {
    if (this.text === text) return;
    this.text = text;
    const nodes = userTextNodes(text);
    decorate(nodes, false);
    this.body.replaceChildren(nodes);
    if (text.length > LONG_CHARS || text.split("\n").length > LONG_LINES) this.collapse();
  }

  /** @param {ShownMessage} message */
  drawTools(message) {
    const { created_at: at } = message;
    const time = at && el("time", { datetime: at }, date(at, { dateStyle: "medium", timeStyle: "short" }));
    const tools = [time || null, versionSwitch(message, this.actions.openVersion)];
    if (!message.hidden) {
      tools.push(toolButton("copy", gettext("Copy"), (label) => copyText(this.message?.text ?? "", label)));
      tools.push(toolButton("pencil", gettext("Edit"), () => this.edit()));
    }
    tools.push(moreButton(() => this.menu(this.message ?? message)));
    this.tools.replaceChildren(...tools.filter((each) => each !== null));
  }

  /** @param {ShownMessage} message */
  menu(message) {
    const { pin, remove } = this.actions;
    const canPin = message.pinned || !message.hidden;
    return [...(canPin ? [pinItem(message, pin)] : []), removeItem(message, remove)];
  }

  edit() {
    const { message, actions, node } = this;
    if (!message || !actions.mayAsk()) return;
    node.classList.add("editing");
    editInPlace(this.body, message.text, {
      words: questionWords(),
      isSaveKey: isSendKey,
      save: async (text) => actions.sendEdited(this.message ?? message, text),
      closed: () => {
        node.classList.remove("editing");
        findOptional("[title]", this.tools)?.focus({ preventScroll: true });
      },
    });
  }

  collapse() {
    this.node.classList.add("long");
    findOptional(".expand", this.node)?.remove();
    const expand = () => { this.node.classList.remove("long"); button.remove(); };
    const button = textButton(gettext("Show all"), expand, "text-button expand");
    this.body.after(button);
  }
}
