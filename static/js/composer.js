/** The message box: Enter sends, Shift+Enter breaks the line, what is written survives a reload. */

import { isBlank } from "grokweb/blank.js";
import { find } from "grokweb/dom.js";
import { codePoints } from "grokweb/reducer.js";
import { fill, gettext, number } from "grokweb/words.js";

const SHOW_COUNT_FROM = 0.8; // of the longest message

export class Composer {
  /** `send(text, { files })`, `stop()` and `line(text, { files })`, for after the answer, do the work; `drafts` has get(key) and set(key, text); `tray` holds the files. */
  constructor(form, { maxChars, drafts, tray, send, stop, line }) {
    Object.assign(this, { form, maxChars, drafts, tray, send, stop, line });
    this.area = find("textarea", form);
    this.button = find(".send", form);
    this.count = find("[data-count]", form);
    this.arrow = this.button.firstElementChild;
    this.square = Object.assign(document.createElement("span"), { className: "stop-square" });
    this.mode = "send"; // send | stop | stopping | wait
    this.key = "new";
    form.addEventListener("submit", (event) => { event.preventDefault(); this.submit(); });
    this.area.addEventListener("input", () => { this.drafts.set(this.key, this.area.value); this.fit(); });
    this.area.addEventListener("keydown", (event) => this.pressed(event));
    form.addEventListener("click", (event) => { if (event.target === form) this.area.focus(); });
  }

  pressed(event) {
    // 229: the key that ends a composition in an input method (Safari says isComposing false there)
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    if (this.mode === "send" || this.lines) this.submit(); // Enter never stops a reply
  }

  /** Whether what is written now goes out after the answer. */
  get lines() {
    return ["stop", "stopping"].includes(this.mode) && !isBlank(this.area.value);
  }

  submit() {
    if (this.mode === "stop" && !this.lines) { this.stop(); return; }
    const text = this.area.value;
    if (!(this.mode === "send" || this.lines) || isBlank(text) || codePoints(text) > this.maxChars) return;
    if (!this.tray.ready(text)) return;
    const run = this.lines ? this.line : this.send;
    this.fillIn("");
    run(text, { files: this.tray.take() });
  }

  /** Opens the draft of another conversation. */
  open(key) {
    this.key = key;
    this.tray.open(key);
    this.area.value = this.drafts.get(key);
    this.fit();
  }

  /** The draft stays with the conversation that a first message has just made. */
  rename(key) {
    this.drafts.set(this.key, "");
    this.tray.rename(key);
    this.key = key;
    this.drafts.set(key, this.area.value);
  }

  fillIn(text) {
    this.area.value = text;
    this.drafts.set(this.key, text);
    this.fit();
  }

  /** Words that were dictated, where the text ends. */
  add(words) {
    const before = this.area.value;
    this.fillIn(before && !/\s$/.test(before) ? `${before} ${words}` : before + words);
  }

  /** A message that could not be sent comes back, before what was written since. */
  giveBack(text, files) {
    this.tray.giveBack(files);
    this.fillIn([text, this.area.value].filter((each) => !isBlank(each)).join("\n\n"));
    this.area.focus();
  }

  setMode(mode) {
    this.mode = mode;
    this.fit();
  }

  nameButton() {
    const { mode, lines } = this;
    const words = lines
      ? gettext("Send after the answer")
      : { send: gettext("Send"), stop: gettext("Stop"), stopping: gettext("Stopping"), wait: gettext("Sending") }[mode];
    const face = mode.startsWith("stop") && !lines ? this.square : this.arrow;
    if (this.button.firstElementChild !== face) this.button.replaceChildren(face);
    this.button.setAttribute("aria-label", words);
    this.button.title = mode === "stop" && !lines ? gettext("Stop (Escape)") : words;
  }

  fit() {
    const { area, count } = this;
    area.style.height = "auto";
    area.style.height = `${area.scrollHeight}px`;
    const length = codePoints(area.value);
    const over = length > this.maxChars;
    count.hidden = length < this.maxChars * SHOW_COUNT_FROM;
    count.classList.toggle("over", over);
    const values = { n: number(length), limit: number(this.maxChars) };
    count.textContent = over
      ? fill(gettext("%(n)s of %(limit)s characters: too long for this model"), values)
      : fill(gettext("%(n)s of %(limit)s characters"), values);
    this.nameButton();
    const idle = { wait: true, stopping: !this.lines, send: isBlank(area.value), stop: false }[this.mode];
    this.button.disabled = idle || (over && (this.mode === "send" || this.lines));
  }
}

/** sessionStorage under one person's name: the next one who logs in in this tab starts empty. */
export class Kept {
  constructor(user, what) {
    this.prefix = `grokweb.${user}.${what}.`;
  }

  get(key) {
    try {
      return sessionStorage.getItem(this.prefix + key) ?? "";
    } catch {
      return "";
    }
  }

  set(key, text) {
    try {
      if (text) sessionStorage.setItem(this.prefix + key, text);
      else sessionStorage.removeItem(this.prefix + key);
    } catch { /* full or switched off: it lives as long as the page */ }
  }

  clear() {
    for (const key of Object.keys(sessionStorage)) if (key.startsWith(this.prefix)) sessionStorage.removeItem(key);
  }
}
