/** Links to a conversation as it is now: make one, copy it, turn it off. */

import { call } from "grokweb/api.js";
import { copyText, el, find, icon, showError, wireDialog } from "grokweb/dom.js";
import { date, fill, gettext } from "grokweb/words.js";

export class ShareDialog {
  constructor(dialog) {
    this.dialog = wireDialog(dialog);
    this.form = find("[data-create]", dialog);
    this.list = find("[data-links]", dialog);
    this.conversation = null;
    this.takenDown = find("[data-taken-down]", dialog);
    this.shares = [];
    this.form.addEventListener("submit", (event) => { event.preventDefault(); this.create(); });
  }

  /** The links of the conversation on the page; `takenDown` says why there can be no new one. */
  set(conversation, shares, takenDown = null) {
    this.conversation = conversation;
    this.shares = shares ?? [];
    this.forbid(takenDown);
    this.draw();
  }

  forbid(words) {
    this.takenDown.textContent = words ?? "";
    this.takenDown.hidden = !words;
    this.form.hidden = Boolean(words);
  }

  open() {
    showError(this.dialog);
    this.dialog.showModal();
  }

  async create() {
    const { conversation } = this;
    const { expires, policy } = this.form.elements;
    const button = find("button", this.form);
    button.disabled = true;
    showError(this.dialog);
    try {
      const { share } = await call("POST", `/api/conversations/${conversation}/share/`, {
        expires_days: expires.value ? Number(expires.value) : null, policy: policy.value,
      });
      if (this.conversation !== conversation) return;
      this.shares = [share, ...this.shares];
      this.draw();
      find("button", this.list).focus();
    } catch (error) {
      if (error.code === "taken_down") this.forbid(error.message);
      else showError(this.dialog, error.message);
    } finally {
      button.disabled = false;
    }
  }

  async turnOff(share, button) {
    button.disabled = true;
    showError(this.dialog);
    try {
      await call("DELETE", `/api/conversations/${this.conversation}/share/${share.token}/`);
      this.shares = this.shares.filter((each) => each.token !== share.token);
      this.draw();
    } catch (error) {
      showError(this.dialog, error.message);
      button.disabled = false;
    }
  }

  draw() {
    this.list.replaceChildren(...this.shares.map((share) => this.row(share)));
  }

  row(share) {
    const url = new URL(share.url, location.href).href;
    const label = el("span", {}, gettext("Copy"));
    const copy = el("button", { class: "button", type: "button" }, icon("copy"), label);
    copy.addEventListener("click", () => copyText(url, label));
    const off = el("button", { class: "button plain", type: "button" }, gettext("Turn off"));
    off.addEventListener("click", () => this.turnOff(share, off));
    const until = share.expires_at
      ? fill(gettext("works until %(date)s"), { date: date(share.expires_at) })
      : gettext("works until you turn it off");
    const who = share.policy === "members" ? gettext("people with an account here") : gettext("anyone");
    return el("li", {}, el("div", { class: "about" }, el("code", { title: url }, url.replace(/^https?:\/\//, "")), el("small", {}, `${who} · ${until}`)), copy, off);
  }
}
