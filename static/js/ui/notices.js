/** Lines above the message box: what went wrong or is missing, one for each key. */

import { gettext } from "grokweb/base/i18n.js";
import { el, icon } from "grokweb/ui/dom.js";

/**
 * @typedef {{ words: string, run: () => void }} NoticeAction
 * @typedef {object} NoticeOptions
 * @property {"bad" | "warn" | ""} [kind]
 * @property {NoticeAction | null} [action]
 * @property {boolean} [stay]  cannot be closed by the reader
 */

export class Notices {
  /** @param {HTMLElement} box */
  constructor(box) {
    this.box = box;
    /** @type {Map<string, HTMLElement>} */
    this.all = new Map();
  }

  /** @param {string} key @param {string} words @param {NoticeOptions} [options] */
  show(key, words, { kind = "", action = null, stay = false } = {}) {
    this.clear(key);
    const role = kind === "bad" ? "alert" : "status";
    const line = el("div", { class: `notice ${kind}`, role }, el("p", {}, words));
    if (action) {
      const button = el("button", { class: "text-button", type: "button" }, action.words);
      button.addEventListener("click", action.run);
      line.append(button);
    }
    if (!stay) {
      const attributes = { class: "icon-button", type: "button", "aria-label": gettext("Close") };
      const close = el("button", attributes, icon("close"));
      close.addEventListener("click", () => this.clear(key));
      line.append(close);
    }
    this.all.set(key, line);
    this.box.append(line);
  }

  /** @param {string} key */
  clear(key) {
    this.all.get(key)?.remove();
    this.all.delete(key);
  }
}
