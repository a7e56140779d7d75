/**
 * The message box: Enter sends or breaks the line (ui/enter_key.js), what is written survives a reload.
 *
 * @import { PersonalStorage } from "grokweb/base/storage.js"
 * @import { Attachments } from "grokweb/parts/attachments.js"
 * @import { AttachedFile } from "grokweb/wire/objects.js"
 *
 * @typedef {"send" | "stop" | "stopping" | "wait"} Mode  what the button does; "wait" while something is
 *   asked
 * @typedef {(text: string, options: { files: AttachedFile[] }) => void} SendText
 */

import { number } from "grokweb/base/format.js";
import { fill, gettext } from "grokweb/base/i18n.js";
import { codePoints, isBlank } from "grokweb/base/text.js";
import { el, find } from "grokweb/ui/dom.js";
import { enterSends, isSendKey } from "grokweb/ui/enter_key.js";

const SHOW_COUNT_FROM = 0.8; // of the longest message

/** @type {Record<Mode, () => string>} */
const BUTTON_WORDS = {
  send: () => gettext("Send"),
  stop: () => gettext("Stop"),
  stopping: () => gettext("Stopping"),
  wait: () => gettext("Sending"),
};

export class Composer {
  /**
   * @param {HTMLFormElement} form
   * @param {object} options
   * @param {number} options.maxChars
   * @param {PersonalStorage} options.drafts  by conversation
   * @param {Attachments} options.attachments
   * @param {SendText} options.send
   * @param {SendText} options.queue  sends it after the answer
   * @param {() => void} options.stop
   */
  constructor(form, { maxChars, drafts, attachments, send, stop, queue }) {
    this.form = form;
    this.maxChars = maxChars;
    this.drafts = drafts;
    this.attachments = attachments;
    this.send = send;
    this.stop = stop;
    this.queue = queue;
    this.area = find("textarea", form);
    this.button = /** @type {HTMLButtonElement} */ (find(".send", form));
    this.count = find("[data-count]", form);
    this.arrow = /** @type {Element} */ (this.button.firstElementChild);
    this.square = el("span", { class: "stop-square" });
    // Beside `send`, where that would send what is written meanwhile.
    const attributes = {
      class: "stop-button", type: "button", "aria-label": gettext("Stop"), title: gettext("Stop (Escape)"), hidden: true,
    };
    this.stopButton = el("button", attributes, this.square.cloneNode());
    this.stopButton.addEventListener("click", () => this.stop());
    this.button.before(this.stopButton);
    this.area.enterKeyHint = enterSends() ? "send" : "enter";
    /** @type {Mode} */
    this.mode = "send";
    this.key = "new"; // of the draft: the conversation's id, or "new"
    form.addEventListener("submit", (event) => { event.preventDefault(); this.submit(); });
    this.area.addEventListener("input", () => { this.drafts.set(this.key, this.area.value); this.fit(); });
    this.area.addEventListener("keydown", (event) => this.keyPressed(event));
    form.addEventListener("click", (event) => { if (event.target === form) this.area.focus(); });
  }

  /** @param {KeyboardEvent} event */
  keyPressed(event) {
    if (!isSendKey(event)) return;
    event.preventDefault();
    if (this.mode === "send" || this.queues) this.submit(); // Enter never stops a reply
  }

  /** Tells whether a message written now is queued for the end of the answer. */
  get queues() {
    return (this.mode === "stop" || this.mode === "stopping") && !isBlank(this.area.value);
  }

  submit() {
    const { queues, mode } = this;
    if (mode === "stop" && !queues) { this.stop(); return; }
    const text = this.area.value;
    if (!(mode === "send" || queues) || isBlank(text) || codePoints(text) > this.maxChars) return;
    if (!this.attachments.ready(text)) return;
    this.fillIn("");
    const files = this.attachments.take();
    if (queues) this.queue(text, { files });
    else this.send(text, { files });
  }

  /**
   * Opens the draft of another conversation.
   * @param {string} key
   */
  open(key) {
    this.key = key;
    this.attachments.open(key);
    this.area.value = this.drafts.get(key);
    this.fit();
  }

  /**
   * Gives the draft of the new chat to the conversation that its first message has just made.
   * @param {string} key
   */
  rename(key) {
    this.drafts.set(this.key, "");
    this.attachments.rename(key);
    this.key = key;
    this.drafts.set(key, this.area.value);
  }

  /**
   * Replaces the text.
   * @param {string} text
   */
  fillIn(text) {
    this.area.value = text;
    this.drafts.set(this.key, text);
    this.fit();
  }

  /**
   * Adds dictated words where the text ends.
   * @param {string} words
   */
  add(words) {
    const before = this.area.value;
    this.fillIn(before && !/\s$/.test(before) ? `${before} ${words}` : before + words);
  }

  /**
   * Puts a message that could not be sent before what was written since.
   * @param {string} text @param {AttachedFile[]} [files]
   */
  giveBack(text, files) {
    this.attachments.giveBack(files);
    this.fillIn([text, this.area.value].filter((each) => !isBlank(each)).join("\n\n"));
    this.area.focus();
  }

  /** @param {Mode} mode */
  setMode(mode) {
    this.mode = mode;
    this.fit();
  }

  nameButton() {
    const { mode, queues } = this;
    const words = queues ? gettext("Send after the answer") : BUTTON_WORDS[mode]();
    const showsStop = mode === "stop" && queues;
    if (!showsStop && this.stopButton === document.activeElement) this.area.focus();
    this.stopButton.hidden = !showsStop;
    const face = mode.startsWith("stop") && !queues ? this.square : this.arrow;
    if (this.button.firstElementChild !== face) this.button.replaceChildren(face);
    this.button.setAttribute("aria-label", words);
    this.button.title = mode === "stop" && !queues ? gettext("Stop (Escape)") : words;
  }

  /** Adapts height, counter and button to the text and the mode. */
  fit() {
    const { area, count, mode, queues } = this;
    area.style.height = "auto";
    area.style.height = `${area.scrollHeight}px`;
    const length = codePoints(area.value);
    const over = length > this.maxChars;
    count.hidden = length < this.maxChars * SHOW_COUNT_FROM;
    count.classList.toggle("over", over);
    const values = { n: number(length), limit: number(this.maxChars) };
    count.textContent = over
      ? fill(gettext("%(n)s of %(limit)s characters: too long"), values)
      : fill(gettext("%(n)s of %(limit)s characters"), values);
    this.nameButton();
    const idle = { wait: true, stopping: !queues, send: isBlank(area.value), stop: false }[mode];
    this.button.disabled = idle || (over && (mode === "send" || queues));
  }
}
