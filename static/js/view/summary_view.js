/**
 * The divider below an answer that says what the model reads in place of the messages above: their summary.
 * It can be opened, edited, undone and used again; while it is written, that can be stopped.
 *
 * @import { ShownMessage, Summary } from "grokweb/wire/objects.js"
 *
 * @callback ChangeSummary
 * @param {ShownMessage} message
 * @param {"POST" | "PATCH" | "DELETE"} method  use it again, edit it, undo or stop it
 * @param {{ text: string }} [data]
 * @returns {Promise<void>}
 */

import { gettext } from "grokweb/base/i18n.js";
import { isBlank } from "grokweb/base/text.js";
import { el } from "grokweb/ui/dom.js";
import { textButton } from "grokweb/view/tool_button.js";

export class SummaryView {
  /** @param {ChangeSummary} change */
  constructor(change) {
    this.change = change;
    this.node = el("section", { class: "summary", "aria-label": gettext("Summary"), hidden: true });
    /** @type {string} what is drawn */
    this.drawn = "";
  }

  /** @param {ShownMessage} message */
  update(message) {
    const { summary } = message;
    this.message = message;
    const key = summary ? JSON.stringify([summary.id, summary.status]) : "";
    if (key === this.drawn) return;
    this.drawn = key;
    this.node.hidden = !summary;
    if (summary) this.draw(summary);
  }

  /** @param {Summary} summary */
  draw(summary) {
    if (summary.status === "waiting") {
      const words = el("p", { class: "summary-words" }, gettext("The messages above are being summarised for the model…"));
      this.node.replaceChildren(words, this.button(gettext("Stop"), "DELETE"));
    } else if (summary.status === "ready") {
      this.node.replaceChildren(this.opened(summary));
    } else {
      const words = summary.status === "stopped"
        ? gettext("The messages above were not summarised.")
        : gettext("The summary of the messages above is not used.");
      const again = summary.status === "stopped" ? gettext("Summarise them") : gettext("Use it again");
      this.node.replaceChildren(el("p", { class: "summary-words" }, words), this.button(again, "POST"));
    }
  }

  /** @param {Summary} summary */
  opened(summary) {
    const words = summary.edited
      ? gettext("From here the model reads a summary of the messages above, edited by you.")
      : gettext("From here the model reads a summary of the messages above.");
    const text = el("div", { class: "summary-text", dir: "auto" }, summary.text);
    const tools = el(
      "div", { class: "summary-tools" },
      textButton(gettext("Edit"), () => this.edit(summary, text, tools)),
      this.button(gettext("Undo the summary"), "DELETE"),
    );
    return el("details", {}, el("summary", { class: "summary-words" }, words), text, tools);
  }

  /** @param {Summary} summary @param {HTMLElement} text @param {HTMLElement} tools */
  edit(summary, text, tools) {
    const area = el("textarea", { rows: "8", dir: "auto", "aria-label": gettext("Summary") });
    area.value = summary.text;
    const save = el("button", { class: "button primary", type: "submit" }, gettext("Save"));
    const cancel = el("button", { class: "button plain", type: "button" }, gettext("Cancel"));
    const form = el("form", { class: "edit" }, area, el("div", { class: "actions" }, cancel, save));
    const close = () => { form.replaceWith(text); tools.hidden = false; };
    cancel.addEventListener("click", close);
    area.addEventListener("input", () => { save.disabled = isBlank(area.value); });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.message) this.change(this.message, "PATCH", { text: area.value });
      close();
    });
    tools.hidden = true;
    text.replaceWith(form);
    area.focus();
  }

  /** @param {string} words @param {"POST" | "DELETE"} method */
  button(words, method) {
    return textButton(words, () => { if (this.message) this.change(this.message, method); });
  }
}
