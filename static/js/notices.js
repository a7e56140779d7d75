/** Lines above the message box: what went wrong or is missing, one for each kind. */

import { el, icon } from "grokweb/dom.js";
import { gettext } from "grokweb/words.js";

export class Notices {
  constructor(box) {
    this.box = box;
    this.all = new Map();
  }

  /** `kind`: "bad", "warn" or "". `action`: {words, run}. A notice without `stay` can be closed. */
  show(key, words, { kind = "", action = null, stay = false } = {}) {
    this.clear(key);
    const line = el("div", { class: `notice ${kind}`, role: kind === "bad" ? "alert" : "status" }, el("p", {}, words));
    if (action) {
      const button = el("button", { class: "text-button", type: "button" }, action.words);
      button.addEventListener("click", action.run);
      line.append(button);
    }
    if (!stay) {
      const close = el("button", { class: "icon-button", type: "button", "aria-label": gettext("Close") }, icon("close"));
      close.addEventListener("click", () => this.clear(key));
      line.append(close);
    }
    this.all.set(key, line);
    this.box.append(line);
  }

  clear(key) {
    this.all.get(key)?.remove();
    this.all.delete(key);
  }
}
