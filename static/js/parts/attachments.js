/**
 * Files beside the message box: chosen, dropped or pasted, they are uploaded, read, and sent with the
 * message.
 *
 * @import { PersonalStorage } from "grokweb/base/storage.js"
 * @import { Notices } from "grokweb/ui/notices.js"
 * @import { AttachedFile } from "grokweb/wire/objects.js"
 *
 * @typedef {AttachedFile & { sent?: number, removed?: boolean, abort?: () => void }} TrayFile  a file of the
 *   message
 *   box; while it is uploaded, `sent` is the part of it that has gone up and `abort()` ends that
 */

import { bytes, number } from "grokweb/base/format.js";
import { fill, gettext } from "grokweb/base/i18n.js";
import { wireDrop, wirePaste } from "grokweb/parts/file_input.js";
import { isImage } from "grokweb/parts/images.js";
import { el, find, icon } from "grokweb/ui/dom.js";
import { openMenu } from "grokweb/ui/menu.js";
import { fileLabel, showFile } from "grokweb/view/file_chips.js";
import { aboutFile } from "grokweb/view/file_status.js";
import { ApiError, call, csrfToken, loginUrl } from "grokweb/wire/api.js";
import { tooLarge, upload } from "grokweb/wire/upload.js";

const FIRST_POLL = 300; // milliseconds until the server is asked how far reading is
const SLOWEST_POLL = 3_000;

export class Attachments {
  /**
   * @param {HTMLElement} form  the message box
   * @param {object} options
   * @param {{ max_bytes: number, max_count: number }} options.limits
   * @param {PersonalStorage} options.storage  what each conversation's box holds
   * @param {Notices} options.notices
   * @param {(text: string) => string} options.tooLong  returns why a message with these files cannot go, or
   *   ""
   * @param {() => string} options.whyBlind  returns why the chosen model gets no image, or ""
   * @param {(files: TrayFile[]) => void} options.changed  called after every change
   */
  constructor(form, { limits, storage, notices, tooLong, whyBlind, changed }) {
    this.form = form;
    this.limits = limits;
    this.storage = storage;
    this.notices = notices;
    this.tooLong = tooLong;
    this.whyBlind = whyBlind;
    this.changed = changed;
    this.list = find("[data-files]", form);
    this.status = find("[data-files-status]", form);
    this.area = find("textarea", form);
    this.key = "new";
    this.isOpen = false;
    /** @type {TrayFile[]} those of the open conversation */
    this.files = [];
    /** @type {Map<string, TrayFile[]>} those of other conversations, by key */
    this.others = new Map();
    this.button = find("[data-attach]", form);
    const input = find("input[data-choose]", form);
    const camera = find("input[data-camera]", form);
    this.button.addEventListener("click", () => this.offer(input, camera));
    for (const each of [input, camera]) {
      each.addEventListener("change", () => { this.add([...each.files ?? []]); each.value = ""; });
    }
    wireDrop(find("[data-drop]"), (files) => this.add(files));
    wirePaste(this.area, notices, (files) => this.add(files));
  }

  /**
   * Opens the files of the device; on a phone, with a model that sees images, its camera can be chosen, too.
   * @param {HTMLInputElement} input @param {HTMLInputElement} camera
   */
  offer(input, camera) {
    if (this.whyBlind() || !matchMedia("(pointer: coarse)").matches) { input.click(); return; }
    openMenu(this.button, [
      { name: "camera", words: gettext("Take a photo"), run: () => camera.click() },
      { name: "clip", words: gettext("Choose files"), run: () => input.click() },
    ]);
  }

  // --- By conversation -------------------------------------------------------------------------------------

  /** @param {string} key */
  open(key) {
    if (key === this.key && this.isOpen) return;
    if (this.isOpen) this.others.set(this.key, this.files);
    this.key = key;
    this.files = this.others.get(key) ?? this.load(key);
    this.isOpen = true;
    this.draw();
  }

  /** @param {string} key */
  rename(key) {
    this.storage.set(this.key, "");
    this.others.delete(this.key);
    this.key = key;
    this.draw();
  }

  /** @param {string} key @returns {TrayFile[]} */
  load(key) {
    /** @type {TrayFile[]} */
    let files = [];
    try {
      files = JSON.parse(this.storage.get(key) || "[]");
    } catch { /* not ours */ }
    for (const file of files) this.poll(file, 0); // the server deletes it after a day
    return files;
  }

  /** Returns the files for the message that is sent now, and removes them from the box. */
  take() {
    const { files } = this;
    this.files = [];
    this.draw();
    return files;
  }

  /**
   * Puts back the files of a message that could not be sent.
   * @param {TrayFile[]} [files] @param {string} [key]  of its conversation
   */
  giveBack(files = [], key = this.key) {
    if (!files.length) return;
    if (key !== this.key) {
      const all = [...files, ...(this.others.get(key) ?? this.load(key))];
      this.others.set(key, all);
      this.save(key, all);
      return;
    }
    this.files = [...files, ...this.files];
    this.draw();
  }

  /** Forgets what the boxes of all conversations hold. */
  clear() {
    this.storage.clear();
  }

  /** Returns whether the message may be sent; a notice tells what is in the way. */
  ready(text = "") {
    const { files } = this;
    const failed = files.find((each) => each.state === "failed");
    const waiting = files.find((each) => each.state !== "ready");
    let words = this.tooLong(text) || (files.some(isImage) ? this.whyBlind() : "");
    if (failed) words = fill(gettext("“%(name)s” cannot be sent. Remove it first."), { name: failed.name });
    else if (waiting) {
      words = fill(gettext("“%(name)s” is not read yet. Please wait a moment."), { name: waiting.name });
    }
    if (words) this.warn(words);
    else this.notices.clear("files");
    return !words;
  }

  /** @param {string} words */
  warn(words) {
    this.notices.show("files", words, { kind: "warn" });
  }

  // --- Uploading and reading -------------------------------------------------------------------------------

  /** @param {File[]} chosen */
  add(chosen) {
    this.notices.clear("files");
    const { max_count: most, max_bytes: largest } = this.limits;
    const room = most - this.files.length;
    const blind = chosen.some(isImage) ? this.whyBlind() : "";
    if (blind) {
      this.warn(blind);
      chosen = chosen.filter((each) => !isImage(each));
    }
    if (chosen.length > room) this.warn(fill(gettext("A message can have at most %(n)s files."), { n: number(most) }));
    for (const blob of chosen.slice(0, Math.max(0, room))) {
      if (blob.size > largest) this.warn(this.overLimit(blob));
      else this.upload(blob);
    }
    this.draw();
  }

  /** @param {{ name: string }} file */
  overLimit({ name }) {
    return fill(gettext("“%(name)s” is larger than %(limit)s."), { name, limit: bytes(this.limits.max_bytes) });
  }

  /** @param {File} blob */
  upload(blob) {
    /** @type {TrayFile} */
    const file = { id: "", name: blob.name, size: blob.size, state: "up", characters: 0, tokens: 0 };
    const request = upload("/api/files/", blob, csrfToken(), {
      progress: (part) => { file.sent = part; this.draw(); },
      ended: () => this.uploaded(file, request),
    });
    file.abort = () => request.abort();
    this.files.push(file);
  }

  /** @param {TrayFile} file @param {XMLHttpRequest} request */
  uploaded(file, request) {
    delete file.abort;
    if (file.removed) return;
    if (request.status === 401) { location.assign(loginUrl()); return; }
    if (request.status === 201) {
      Object.assign(file, request.response.file);
      this.poll(file, FIRST_POLL);
    } else {
      Object.assign(file, { state: "failed", words: this.whyFailed(file, request) });
      this.say(file);
    }
    this.draw();
  }

  /** @param {TrayFile} file @param {XMLHttpRequest} request */
  whyFailed(file, request) {
    if (request.status === 413) return tooLarge(request, file.size, this.overLimit(file));
    if (!request.status) return gettext("The server cannot be reached. Please try again.");
    return new ApiError(request.status, request.response?.error ?? {}).message;
  }

  /**
   * Asks the server again and again until the file is read.
   * @param {TrayFile} file @param {number} wait  milliseconds
   */
  poll(file, wait) {
    setTimeout(async () => {
      if (file.removed) return;
      try {
        const { file: fresh } = await call("GET", `/api/files/${file.id}/`);
        const before = file.state;
        Object.assign(file, fresh);
        const next = Math.min(SLOWEST_POLL, Math.max(FIRST_POLL, wait * 1.5));
        if (file.state === "reading") this.poll(file, next);
        else if (before === "reading") this.say(file);
      } catch (error) {
        const isGone = error instanceof ApiError && error.status === 404;
        if (isGone) Object.assign(file, { state: "failed", words: gettext("It is no longer there.") });
        else this.poll(file, SLOWEST_POLL);
      }
      this.draw();
    }, wait);
  }

  /**
   * Its text was read once more, in another encoding.
   * @param {TrayFile} file @param {AttachedFile} fresh
   */
  reread(file, fresh) {
    Object.assign(file, fresh);
    this.notices.clear("files");
    this.draw();
    if (file.state !== "reading") this.say(file);
  }

  /**
   * Tells screen readers how a file is doing.
   * @param {TrayFile} file
   */
  say(file) {
    this.status.textContent = `${file.name}: ${aboutFile(file)}`;
  }

  /** @param {TrayFile} file */
  remove(file) {
    const at = this.files.indexOf(file);
    file.removed = true;
    file.abort?.();
    // else the server deletes it after a day
    if (file.id) call("DELETE", `/api/files/${file.id}/`).catch(() => {});
    this.files = this.files.filter((each) => each !== file);
    this.notices.clear("files");
    this.draw();
    /** @type {NodeListOf<HTMLElement>} */
    const buttons = this.list.querySelectorAll("button.remove");
    (buttons[Math.min(at, this.files.length - 1)] ?? this.area).focus();
  }

  // --- Drawing ---------------------------------------------------------------------------------------------

  draw() {
    this.list.hidden = !this.files.length;
    this.list.replaceChildren(...this.files.map((file) => this.chip(file)));
    this.save(this.key, this.files);
    this.changed(this.files);
  }

  /** @param {string} key @param {TrayFile[]} files */
  save(key, files) {
    const stored = files.filter((each) => each.id).map(
      ({ id, name, kind, size, state, words, remarks, tokens, characters, original, image }) =>
        ({ id, name, kind, size, state, words, remarks, tokens, characters, original, image }),
    );
    this.storage.set(key, stored.length ? JSON.stringify(stored) : "");
  }

  /** @param {TrayFile} file */
  chip(file) {
    const words = fill(gettext("Remove “%(name)s”"), { name: file.name });
    const removes = { class: "remove", type: "button", "aria-label": words, title: words };
    const cross = el("button", removes, icon("close"));
    cross.addEventListener("click", () => this.remove(file));
    const disabled = !file.id || file.state === "reading";
    const opens = { class: "open", type: "button", title: file.name, disabled };
    const open = el("button", opens, ...fileLabel(file));
    open.addEventListener("click", () => showFile(file, (fresh) => this.reread(file, fresh)));
    return el("li", { class: `chip ${file.state}`, "data-state": file.state }, open, cross);
  }
}
