/** Files beside the message box: chosen, dropped or pasted, they go up, are read, and go with the message. */

import { ApiError, call, csrfToken, loginUrl } from "grokweb/api.js";
import { el, find, icon, wireDialog } from "grokweb/dom.js";
import { somethingOpen } from "grokweb/menu.js";
import { fill, gettext, number } from "grokweb/words.js";

const LONG_PASTE = 8_000; // characters: from here on a file is offered
const HUGE_PASTE = 200_000; // from here on the box would freeze the page
const FIRST_LOOK = 300; // milliseconds until the server is asked how far reading is
const SLOWEST_LOOK = 3_000;

export function bytes(n) {
  if (n < 1000) return fill(gettext("%(n)s B"), { n: number(n) });
  if (n < 999_500) return fill(gettext("%(n)s kB"), { n: number(Math.round(n / 1000)) });
  return fill(gettext("%(n)s MB"), { n: number(Math.round(n / 100_000) / 10) });
}

/** What stands under a file's name. */
function about(file) {
  if (file.state === "up") return fill(gettext("%(n)s % sent"), { n: number(Math.round(100 * (file.sent ?? 0))) });
  if (file.state === "reading") return gettext("reading…");
  if (file.state === "failed") return file.words;
  return `${bytes(file.size)} · ${fill(gettext("about %(n)s tokens"), { n: number(file.tokens) })}`;
}

const face = (file) => [icon("file"), el("span", { class: "what" }, el("span", { class: "name", dir: "auto" }, file.name), el("small", {}, about(file)))];

/** The files of a message that was sent, as buttons that show what the model read. */
export function drawCarried(list, files = []) {
  list.hidden = !files.length;
  list.replaceChildren(...files.map((file) => {
    const button = el("button", { class: "chip", type: "button", title: file.name }, ...face(file));
    button.addEventListener("click", () => showFile(file));
    return el("li", {}, button);
  }));
}

const SHOWN = 100_000; // characters; nobody reads more in a dialog

export async function showFile(file) {
  const dialog = find("#file-dialog");
  const pre = find("pre", dialog);
  find("h2", dialog).textContent = file.name;
  find("[data-about]", dialog).textContent = about(file);
  find("a", dialog).href = `/api/files/${file.id}/original/`;
  find("a span", dialog).textContent = file.original ? gettext("Download the original") : gettext("Download the text");
  pre.textContent = gettext("Loading…");
  dialog.showModal();
  try {
    const { text } = await call("GET", `/api/files/${file.id}/text/`);
    pre.textContent = text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
  } catch (error) {
    pre.textContent = error.message;
  }
}

export class Tray {
  /** `limits`: { max_bytes, max_count }; `kept` remembers what each conversation's box holds; `tooLong(text)` says so or nothing; `changed(files)` hears of every change. */
  constructor(form, { limits, kept, notices, tooLong, changed }) {
    Object.assign(this, { form, limits, kept, notices, tooLong, changed });
    this.list = find("[data-files]", form);
    this.said = find("[data-files-said]", form);
    this.key = "new";
    this.files = []; // of the open conversation
    this.shelf = new Map(); // those of the others, by key
    const input = find("input[type=file]", form);
    find("[data-attach]", form).addEventListener("click", () => input.click());
    input.addEventListener("change", () => { this.add([...input.files]); input.value = ""; });
    wireDialog(find("#file-dialog"));
    this.wireDrop(find("[data-drop]"));
    this.wirePaste(find("textarea", form));
  }

  // --- Whose they are -------------------------------------------------------------------------------------

  open(key) {
    if (key === this.key && this.opened) return;
    if (this.opened) this.shelf.set(this.key, this.files);
    this.key = key;
    this.files = this.shelf.get(key) ?? this.remembered(key);
    this.opened = true;
    this.draw();
  }

  rename(key) {
    this.kept.set(this.key, "");
    this.shelf.delete(this.key);
    this.key = key;
    this.draw();
  }

  remembered(key) {
    let files = [];
    try {
      files = JSON.parse(this.kept.get(key) || "[]");
    } catch { /* not ours */ }
    for (const file of files) this.look(file, 0); // a day later it is gone
    return files;
  }

  /** Those that go with the message that is sent now. */
  take() {
    const { files } = this;
    this.files = [];
    this.draw();
    return files;
  }

  /** Of a message that could not be sent. */
  giveBack(files = [], key = this.key) {
    if (!files.length) return;
    if (key !== this.key) {
      const there = [...files, ...(this.shelf.get(key) ?? this.remembered(key))];
      this.shelf.set(key, there);
      this.remember(key, there);
      return;
    }
    this.files = [...files, ...this.files];
    this.draw();
  }

  clear() {
    this.kept.clear();
  }

  /** Whether the message may go; says what is in the way. */
  ready(text = "") {
    const { files } = this;
    const failed = files.find((each) => each.state === "failed");
    const waiting = files.find((each) => each.state !== "ready");
    const words = failed
      ? fill(gettext("“%(name)s” cannot be sent. Remove it first."), { name: failed.name })
      : waiting && fill(gettext("“%(name)s” is not read yet. Please wait a moment."), { name: waiting.name });
    const why = words || this.tooLong(text);
    if (why) this.notices.show("files", why, { kind: "warn" });
    else this.notices.clear("files");
    return !why;
  }

  // --- In -------------------------------------------------------------------------------------------------

  add(chosen) {
    this.notices.clear("files");
    const room = this.limits.max_count - this.files.length;
    if (chosen.length > room) this.warn(fill(gettext("A message can have at most %(n)s files."), { n: number(this.limits.max_count) }));
    for (const blob of chosen.slice(0, Math.max(0, room))) {
      if (blob.size > this.limits.max_bytes) this.warn(fill(gettext("“%(name)s” is larger than %(limit)s."), { name: blob.name, limit: bytes(this.limits.max_bytes) }));
      else this.send(blob);
    }
    this.draw();
  }

  warn(words) {
    this.notices.show("files", words, { kind: "warn" });
  }

  send(blob) {
    const file = { name: blob.name, size: blob.size, state: "up" };
    const request = new XMLHttpRequest(); // fetch does not say how much has gone up
    request.open("POST", "/api/files/");
    request.setRequestHeader("x-csrftoken", csrfToken());
    request.responseType = "json";
    request.upload.addEventListener("progress", ({ loaded, total }) => { file.sent = loaded / total; this.draw(); });
    request.addEventListener("loadend", () => this.answered(file, request));
    const body = new FormData();
    body.append("file", blob);
    request.send(body);
    file.abort = () => request.abort();
    this.files.push(file);
  }

  answered(file, request) {
    delete file.abort;
    if (file.removed) return;
    if (request.status === 401) { location.assign(loginUrl()); return; }
    const { response } = request;
    if (request.status === 201) {
      Object.assign(file, response.file);
      this.look(file, FIRST_LOOK);
    } else {
      const error = new ApiError(request.status, response?.error ?? {});
      const words = request.status ? error.message : gettext("The server cannot be reached. Please try again.");
      Object.assign(file, { state: "failed", words: request.status === 413 ? gettext("It is too large.") : words });
      this.say(file);
    }
    this.draw();
  }

  /** Asks the server again and again until the file is read. */
  look(file, wait) {
    setTimeout(async () => {
      if (file.removed) return;
      try {
        const { file: fresh } = await call("GET", `/api/files/${file.id}/`);
        const before = file.state;
        Object.assign(file, fresh);
        if (file.state === "reading") this.look(file, Math.min(SLOWEST_LOOK, Math.max(FIRST_LOOK, wait * 1.5)));
        else if (before === "reading") this.say(file);
      } catch (error) {
        if (error.status === 404) Object.assign(file, { state: "failed", words: gettext("It is no longer there.") });
        else this.look(file, SLOWEST_LOOK);
      }
      this.draw();
    }, wait);
  }

  say(file) {
    this.said.textContent = `${file.name}: ${about(file)}`;
  }

  remove(file) {
    const at = this.files.indexOf(file);
    file.removed = true;
    file.abort?.();
    if (file.id) call("DELETE", `/api/files/${file.id}/`).catch(() => {}); // else the server forgets it in a day
    this.files = this.files.filter((each) => each !== file);
    this.notices.clear("files");
    this.draw();
    const next = this.list.querySelectorAll("button.remove")[Math.min(at, this.files.length - 1)];
    (next ?? find("textarea", this.form)).focus();
  }

  // --- Seen -----------------------------------------------------------------------------------------------

  draw() {
    this.list.hidden = !this.files.length;
    this.list.replaceChildren(...this.files.map((file) => this.chip(file)));
    this.remember(this.key, this.files);
    this.changed(this.files);
  }

  remember(key, files) {
    const plain = files.filter((each) => each.id).map(({ id, name, size, state, words, tokens, characters, original }) => ({ id, name, size, state, words, tokens, characters, original }));
    this.kept.set(key, plain.length ? JSON.stringify(plain) : "");
  }

  chip(file) {
    const words = fill(gettext("Remove “%(name)s”"), { name: file.name });
    const cross = el("button", { class: "remove", type: "button", "aria-label": words, title: words }, icon("close"));
    cross.addEventListener("click", () => this.remove(file));
    return el("li", { class: `chip ${file.state}`, "data-state": file.state }, ...face(file), cross);
  }

  // --- Dropped and pasted ---------------------------------------------------------------------------------

  wireDrop(veil) {
    const has = (event) => event.dataTransfer?.types.includes("Files") && !somethingOpen();
    const over = (event) => {
      if (!has(event)) return;
      event.preventDefault();
      veil.hidden = false;
    };
    document.addEventListener("dragenter", over);
    document.addEventListener("dragover", over);
    document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) veil.hidden = true; });
    document.addEventListener("drop", (event) => {
      veil.hidden = true;
      if (!has(event)) return;
      event.preventDefault();
      this.add([...event.dataTransfer.files]);
    });
  }

  wirePaste(area) {
    area.addEventListener("paste", (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      const text = event.clipboardData?.getData("text/plain") ?? "";
      if (files.length && !text) {
        event.preventDefault();
        this.add(files);
      } else if (text.length > LONG_PASTE) this.offer(area, text, event);
    });
  }

  /** A long text is better off in a file; a huge one does not get into the box at all. */
  offer(area, text, event) {
    const huge = text.length > HUGE_PASTE;
    const n = number(text.length);
    if (huge) event.preventDefault();
    const attach = () => {
      this.notices.clear("files");
      const plain = text.replace(/\r\n?/g, "\n");
      if (!huge && area.value.includes(plain)) {
        area.value = area.value.replace(plain, () => "");
        area.dispatchEvent(new Event("input", { bubbles: true }));
      }
      this.add([new File([text], gettext("Pasted text.txt"), { type: "text/plain" })]);
      area.focus();
    };
    const words = huge
      ? gettext("This text is too long for the message box (%(n)s characters), so it was not put there.")
      : gettext("That was a long text (%(n)s characters).");
    this.notices.show("files", fill(words, { n }), { kind: huge ? "warn" : "", action: { words: gettext("Attach it as a file"), run: attach } });
  }
}
