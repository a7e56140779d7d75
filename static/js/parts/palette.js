/**
 * The palette: one box that finds conversations, messages and commands. The latest answer wins.
 *
 * @import { Command } from "grokweb/parts/palette_commands.js"
 * @import { Conversation } from "grokweb/wire/objects.js"
 *
 * @typedef {object} Result  of GET /api/search/
 * @property {Pick<Conversation, "id" | "title" | "archived">} conversation
 * @property {{ id: string } | null} [message]
 * @property {{ text: string, match?: boolean }[]} pieces
 * @property {string} at
 * @property {string} url
 */

import { date, number } from "grokweb/base/format.js";
import { fill, gettext, ngettext } from "grokweb/base/i18n.js";
import { fitting } from "grokweb/base/matching.js";
import { commands, settingsCommands } from "grokweb/parts/palette_commands.js";
import { closeButton, el, icon, wireDialog, wordsOf } from "grokweb/ui/dom.js";
import { call } from "grokweb/wire/api.js";

const REST = 120; // milliseconds without a key before the server is asked
const RECENT = 6; // conversations before anything is typed
const PAGE = 8; // entries that Page Up and Page Down skip

/**
 * Tells whether a question is long enough for the server, which has the same rule: one letter is enough where
 * it can be a word or a syllable (Chinese, kana, Hangul, Thai).
 * @param {string} question
 */
const isLongEnough = (question) => question.length > 1 || /\p{Lo}/u.test(question);

/**
 * Asks the page to open a result; if no handler there takes it, opens its address.
 * @param {Result} result
 */
function visit(result) {
  const detail = { conversation: result.conversation.id, message: result.message?.id ?? null };
  const isTaken = !dispatchEvent(new CustomEvent("grokweb:goto", { detail, cancelable: true }));
  if (!isTaken) location.assign(result.url);
}

class Palette {
  constructor() {
    this.input = el("input", {
      type: "text", role: "combobox", "aria-expanded": "true", "aria-controls": "palette-list",
      "aria-autocomplete": "list", "aria-label": gettext("Search conversations, messages and commands"),
      placeholder: gettext("Search or do something"), autocomplete: "off", spellcheck: "false", dir: "auto",
      enterkeyhint: "go",
    });
    this.list = el("div", { id: "palette-list", role: "listbox", "aria-label": gettext("Results") });
    this.none = el("p", { class: "none", hidden: true }); // beside the list: a listbox holds options alone
    this.status = el("p", { class: "sr-only", role: "status" });
    this.more = el("button", { class: "button plain", type: "button", hidden: true }, gettext("Show more"));
    const close = closeButton("small", "icon-button");
    this.dialog = wireDialog(el(
      "dialog", { class: "palette", "aria-label": gettext("Search") },
      el("div", { class: "ask" }, icon("search"), this.input, close),
      el("div", { class: "found" }, this.list, this.none, this.more),
      this.status,
    ));
    this.asked = 0; // counts questions: an answer to an older one is dropped
    /** @type {Result[]} */
    this.results = [];
    /** @type {string | null} */
    this.next = null;
    this.failure = "";
    /** @type {Conversation[]} */
    this.known = [];
    /** @type {HTMLElement | null} */
    this.current = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    this.input.addEventListener("input", () => this.typed());
    this.dialog.addEventListener("keydown", (event) => this.keyPressed(event));
    this.dialog.addEventListener("close", () => { this.asked++; clearTimeout(this.timer); });
    this.more.addEventListener("click", () => this.ask(this.input.value.trim(), this.next ?? ""));
    document.body.append(this.dialog);
  }

  /**
   * @param {string} question  typed while this module was loaded
   * @param {Conversation[]} known  of the sidebar, the newest first
   */
  open(question, known) {
    if (this.dialog.open) return;
    this.known = known;
    this.input.value = question;
    this.setResults([], null);
    this.dialog.showModal();
    this.input.focus();
    this.typed();
  }

  /** @param {Result[]} results @param {string | null} next  cursor of the page after them */
  setResults(results, next, failure = "") {
    this.results = results;
    this.next = next;
    this.failure = failure;
  }

  typed() {
    clearTimeout(this.timer);
    const question = this.input.value.trim();
    this.asked++; // answers to earlier questions are outdated
    if (!isLongEnough(question)) {
      this.setResults([], null);
      this.draw();
      return;
    }
    this.draw();
    this.timer = setTimeout(() => this.ask(question), REST);
  }

  /** @param {string} question */
  async ask(question, cursor = "") {
    const mine = ++this.asked;
    try {
      const query = new URLSearchParams({ q: question, ...(cursor ? { cursor } : {}) });
      const { results, next } = await call("GET", `/api/search/?${query}`);
      if (mine !== this.asked) return;
      this.setResults(cursor ? [...this.results, ...results] : results, next);
    } catch (error) {
      if (mine !== this.asked) return;
      this.setResults([], null, wordsOf(error));
    }
    this.draw(question);
    const n = this.results.length;
    this.status.textContent = this.failure || fill(ngettext("%(n)s result", "%(n)s results", n), { n: number(n) });
  }

  // --- Drawing ---------------------------------------------------------------------------------------------

  /**
   * @param {string | null} answered  the question that the results are for; null while they are on their way
   */
  draw(answered = null) {
    const wanted = this.input.value.trim();
    const all = wanted ? [...commands(), ...settingsCommands()] : commands();
    const fit = fitting(wanted, all, ({ words, also }) => [words, `${words} ${also ?? ""}`]);
    const titles = this.results.filter((each) => !each.message);
    const messages = this.results.filter((each) => each.message);
    const titlesHeading = wanted ? gettext("Conversations") : gettext("Recent conversations");
    const titleOptions = [...titles.map((each) => this.result(each)), ...this.knownOptions(wanted, titles)];
    /** @type {[name: string, words: string, options: HTMLElement[]][]} */
    const groups = [
      ["commands", gettext("Commands"), fit.map((each) => this.command(each))],
      ["titles", titlesHeading, titleOptions],
      ["messages", gettext("Messages"), messages.map((each) => this.result(each))],
    ];
    const shown = groups.filter(([, , options]) => options.length);
    const key = this.current?.dataset.key;
    this.list.replaceChildren(...shown.map(([name, words, options]) => {
      const heading = el("h3", { id: `palette-${name}`, role: "presentation" }, words);
      return el("div", { role: "group", "aria-labelledby": `palette-${name}` }, heading, ...options);
    }));
    const isEmpty = !shown.length;
    this.none.textContent = this.failure || gettext("Nothing found.");
    this.none.hidden = !this.failure && !(isEmpty && answered !== null);
    this.list.hidden = isEmpty;
    this.input.setAttribute("aria-expanded", String(!isEmpty));
    this.options.forEach((option, i) => { option.id = `palette-option-${i}`; });
    this.more.hidden = !this.next;
    this.mark(this.options.find((option) => option.dataset.key === key) ?? this.options[0] ?? null);
  }

  /**
   * Returns conversations that the page knows: at once, and in spite of a typing error. The server's come
   * before them.
   * @param {string} wanted @param {Result[]} found
   */
  knownOptions(wanted, found) {
    const ids = new Set(found.map(({ conversation }) => conversation.id));
    const others = this.known.filter((each) => !ids.has(each.id));
    const fit = wanted ? fitting(wanted, others, (each) => each.title) : others;
    return fit.slice(0, RECENT).map((conversation) => {
      const { title, updated_at: at, url } = conversation;
      return this.result({ conversation, pieces: [{ text: title || gettext("New chat") }], at, url });
    });
  }

  /** @param {string} key @param {() => void} run @param {...Node} children */
  option(key, run, ...children) {
    const option = el("div", { role: "option", "aria-selected": "false", "data-key": key }, ...children);
    option.addEventListener("click", () => { this.dialog.close(); run(); });
    option.addEventListener("pointermove", () => { if (this.current !== option) this.mark(option); });
    return option;
  }

  /** @param {Command} command */
  command({ name, words, run }) {
    return this.option(`command ${words}`, run, icon(name), el("span", { class: "what" }, words));
  }

  /** @param {Result} result */
  result(result) {
    const { conversation, message, pieces, at } = result;
    const text = pieces.map(({ text: part, match }) => (match ? el("mark", {}, part) : part));
    const words = el("span", { class: "what", dir: "auto" }, ...text);
    const day = date(at, { dateStyle: "medium" });
    const title = el("span", { dir: "auto" }, conversation.title || gettext("New chat"));
    const place = conversation.archived ? `${gettext("Archived")} · ${day}` : day;
    const where = el("span", { class: "where" }, ...(message ? [title, ` · ${day}`] : [place]));
    const lines = el("span", { class: "lines" }, words, where);
    return this.option(message?.id ?? conversation.id, () => visit(result), icon("chat"), lines);
  }

  // --- Keys ------------------------------------------------------------------------------------------------

  /** @returns {HTMLElement[]} */
  get options() {
    return [...this.list.querySelectorAll("[role=option]")].map((each) => /** @type {HTMLElement} */ (each));
  }

  /** @param {HTMLElement | null} option */
  mark(option) {
    this.current?.setAttribute("aria-selected", "false");
    this.current = option;
    if (!option) { this.input.removeAttribute("aria-activedescendant"); return; }
    option.setAttribute("aria-selected", "true");
    this.input.setAttribute("aria-activedescendant", option.id);
  }

  /** @param {KeyboardEvent} event */
  keyPressed(event) {
    if (event.target !== this.input) return;
    const all = this.options;
    const at = this.current ? all.indexOf(this.current) : -1;
    /** @type {Record<string, number>} */
    const targets = {
      ArrowDown: (at + 1) % all.length,
      ArrowUp: (at - 1 + all.length) % all.length,
      PageDown: Math.min(at + PAGE, all.length - 1),
      PageUp: Math.max(at - PAGE, 0),
    };
    const to = targets[event.key];
    if (to !== undefined && all.length) {
      event.preventDefault();
      this.mark(all[to]);
      all[to].scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter") {
      event.preventDefault();
      this.current?.click();
    }
  }
}

/** @type {Palette | null} */
let palette = null;

/** @param {string} question @param {Conversation[]} known */
export function open(question, known) {
  palette ??= new Palette();
  palette.open(question, known);
}
