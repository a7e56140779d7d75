/**
 * Links to a conversation as it is now: make one, copy it, change its options, turn it off. The server draws
 * the form of each policy's options (templates/chat/chat.html); no policy is known by name here.
 *
 * @import { Share } from "grokweb/wire/objects.js"
 */

import { date } from "grokweb/base/format.js";
import { fill, gettext } from "grokweb/base/i18n.js";
import { copyText } from "grokweb/ui/clipboard.js";
import { el, find, icon, showError, valueOf, wireDialog, wordsOf } from "grokweb/ui/dom.js";
import { ApiError, call } from "grokweb/wire/api.js";

const PREFIX = "options-"; // of the inputs' names: chat/sharing/templatetags/share_policies.py

export class ShareDialog {
  /** @param {HTMLDialogElement} dialog */
  constructor(dialog) {
    this.dialog = wireDialog(dialog);
    this.form = /** @type {HTMLFormElement} */ (find("[data-create]", dialog));
    this.list = find("[data-links]", dialog);
    this.takenDown = find("[data-taken-down]", dialog);
    /** @type {string | null} */
    this.conversation = null;
    /** @type {Share[]} */
    this.shares = [];
    this.form.addEventListener("submit", (event) => { event.preventDefault(); this.create(); });
    find("select[name=policy]", this.form).addEventListener("change", () => this.showOptions());
    this.showOptions();
  }

  /** The fields of each policy that has options. @returns {HTMLFieldSetElement[]} */
  get options() {
    return [...this.form.querySelectorAll("fieldset")].filter((each) => each.dataset.policy);
  }

  /** Shows the options of the chosen policy; those of the others are neither shown nor sent. */
  showOptions() {
    const policy = valueOf(this.form, "policy");
    for (const each of this.options) each.hidden = each.disabled = each.dataset.policy !== policy;
  }

  /**
   * Shows the links of the conversation on the page; `takenDown` says why there can be no new one.
   * @param {string | null} conversation @param {Share[]} shares @param {string | null} [takenDown]
   */
  set(conversation, shares, takenDown = null) {
    if (conversation !== this.conversation) { // what was chosen for another one is not meant for it
      this.form.reset();
      this.showOptions();
    }
    this.conversation = conversation;
    this.shares = shares;
    this.forbid(takenDown);
    this.draw();
  }

  /** @param {string | null} words */
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
    const days = valueOf(this.form, "expires");
    const button = find("button", this.form);
    button.disabled = true;
    showError(this.dialog);
    try {
      const { share } = await call("POST", `/api/conversations/${conversation}/share/`, {
        expires_days: days ? Number(days) : null,
        policy: valueOf(this.form, "policy"),
        options: optionsIn(this.form),
        thoughts: isChecked(this.form, "thoughts"),
        images: isChecked(this.form, "images"),
      });
      if (this.conversation !== conversation) return;
      this.form.reset();
      this.showOptions();
      this.shares = [share, ...this.shares];
      this.draw();
      find("button", this.list).focus();
    } catch (error) {
      // With images, these may be the reason: a link without them may be possible.
      const isFinal = !isChecked(this.form, "images");
      if (error instanceof ApiError && error.code === "taken_down" && isFinal) this.forbid(error.message);
      else showError(this.dialog, wordsOf(error));
    } finally {
      button.disabled = false;
    }
  }

  /** @param {Share} share @param {HTMLButtonElement} button */
  async turnOff(share, button) {
    button.disabled = true;
    showError(this.dialog);
    try {
      await call("DELETE", `/api/conversations/${this.conversation}/share/${share.token}/`);
      this.shares = this.shares.filter((each) => each.token !== share.token);
      this.draw();
    } catch (error) {
      showError(this.dialog, wordsOf(error));
      button.disabled = false;
    }
  }

  /**
   * Deletes the thoughts or images from the copy that a link shows.
   * @param {Share} share @param {"thoughts" | "images"} what @param {HTMLButtonElement} button
   */
  async leaveOut(share, what, button) {
    button.disabled = true;
    showError(this.dialog);
    try {
      const path = `/api/conversations/${this.conversation}/share/${share.token}/`;
      await call("PATCH", path, { [what]: false });
      this.shares = this.shares.map((each) =>
        (each.token === share.token ? { ...each, [what]: false } : each));
      this.draw();
    } catch (error) {
      showError(this.dialog, wordsOf(error));
      button.disabled = false;
    }
  }

  /**
   * Stores new options of a link.
   * @param {Share} share @param {HTMLFormElement} form
   */
  async change(share, form) {
    const button = find("button", form);
    button.disabled = true;
    showError(this.dialog);
    try {
      const path = `/api/conversations/${this.conversation}/share/${share.token}/`;
      await call("PATCH", path, { options: optionsIn(form) });
      form.replaceWith(el("p", { class: "changed", role: "status" }, gettext("Changed. Readers are asked again.")));
    } catch (error) {
      showError(this.dialog, wordsOf(error));
      button.disabled = false;
    }
  }

  draw() {
    this.list.replaceChildren(...this.shares.map((share) => this.row(share)));
  }

  /** @param {Share} share */
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
    const address = el("code", { title: url }, url.replace(/^https?:\/\//, ""));
    const facts = [share.policy_label, until];
    if (share.thoughts) facts.push(gettext("with thoughts"));
    if (share.images) facts.push(gettext("with images"));
    const about = el("div", { class: "about" }, address, el("small", {}, facts.join(" · ")));
    const row = el("li", {}, about, copy);
    const options = this.options.find((each) => each.dataset.policy === share.policy);
    if (options) row.append(this.changeButton(share, options, row));
    if (share.thoughts) row.append(this.leaveOutButton(share, "thoughts", gettext("Leave out thoughts")));
    if (share.images) row.append(this.leaveOutButton(share, "images", gettext("Leave out images")));
    row.append(off);
    return row;
  }

  /** @param {Share} share @param {"thoughts" | "images"} what @param {string} words */
  leaveOutButton(share, what, words) {
    const button = el("button", { class: "button plain", type: "button" }, words);
    button.addEventListener("click", () => this.leaveOut(share, what, button));
    return button;
  }

  /**
   * Makes the button that opens the form of the policy's options below the link, and closes it again.
   * @param {Share} share @param {HTMLFieldSetElement} options @param {HTMLElement} row
   */
  changeButton(share, options, row) {
    const closed = { class: "button plain", type: "button", "aria-expanded": "false" };
    const button = el("button", closed, gettext("Change"));
    button.addEventListener("click", () => {
      row.querySelectorAll(".change, .changed").forEach((each) => each.remove());
      const open = button.getAttribute("aria-expanded") !== "true";
      button.setAttribute("aria-expanded", String(open));
      if (!open) return;
      const save = el("button", { class: "button" }, gettext("Save"));
      const form = el("form", { class: "change" }, copyOf(options, share.token), save);
      form.addEventListener("submit", (event) => { event.preventDefault(); this.change(share, form); });
      row.append(form);
      find("input, select, textarea", form).focus();
    });
    return button;
  }
}

/** @param {HTMLFormElement} form @param {string} name */
const isChecked = (form, name) => /** @type {HTMLInputElement} */ (find(`[name=${name}]`, form)).checked;

/**
 * Returns a copy of a policy's fields to fill in again, with ids of its own.
 * @param {HTMLFieldSetElement} options @param {string} suffix
 */
function copyOf(options, suffix) {
  const copy = /** @type {HTMLFieldSetElement} */ (options.cloneNode(true));
  copy.hidden = copy.disabled = false;
  for (const each of copy.querySelectorAll("[id]")) each.id = `${each.id}-${suffix}`;
  for (const each of copy.querySelectorAll("label")) {
    if (each.htmlFor) each.htmlFor = `${each.htmlFor}-${suffix}`;
  }
  for (const each of copy.querySelectorAll("input")) {
    if (!each.matches("[type=checkbox], [type=radio]")) each.value = "";
  }
  for (const each of copy.querySelectorAll("textarea")) each.value = "";
  return copy;
}

/**
 * Returns the values of the policy's enabled fields by name; a name that occurs twice has a list.
 * @param {HTMLFormElement} form
 */
function optionsIn(form) {
  /** @type {Record<string, unknown>} */
  const found = {};
  const data = new FormData(form);
  for (const key of new Set(data.keys())) {
    if (!key.startsWith(PREFIX)) continue;
    const values = data.getAll(key);
    found[key.slice(PREFIX.length)] = values.length > 1 ? values : values[0];
  }
  return found;
}
