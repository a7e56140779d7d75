/** The palette: one box that finds conversations, messages and commands. The latest answer wins. */

import { call } from "grokweb/api.js";
import { el, find, icon, wireDialog } from "grokweb/dom.js";
import { date, fill, folded, gettext, ngettext, number } from "grokweb/words.js";

const REST = 120; // ms without a key before the server is asked

const press = (selector) => () => find(selector).click();
const toggleSidebar = () => {
  const shown = getComputedStyle(find("[data-unfold]")).display === "none";
  find(shown ? "[data-fold]" : "[data-unfold]").click();
};

const commands = () => [
  { name: "new", words: gettext("New chat"), run: press(".new-chat") },
  { name: "panel", words: gettext("Show or hide the sidebar"), run: toggleSidebar },
  { name: "settings", words: gettext("Settings"), run: press("[data-settings]") },
  { name: "keys", words: gettext("Keyboard shortcuts"), run: press("[data-shortcuts]") },
];

/** Tells the page where to go; if nobody there knows the way, the address does. */
function visit(result) {
  const detail = { conversation: result.conversation.id, message: result.message?.id ?? null };
  const unheard = dispatchEvent(new CustomEvent("grokweb:goto", { detail, cancelable: true }));
  if (unheard) location.assign(result.url);
}

class Palette {
  constructor() {
    this.input = el("input", { type: "text", role: "combobox", "aria-expanded": "true", "aria-controls": "palette-list", "aria-autocomplete": "list", "aria-label": gettext("Search conversations, messages and commands"), placeholder: gettext("Search or do something"), autocomplete: "off", spellcheck: "false", dir: "auto", enterkeyhint: "go" });
    this.list = el("div", { id: "palette-list", role: "listbox", "aria-label": gettext("Results") });
    this.none = el("p", { class: "none", hidden: true }); // beside the list: a listbox holds options alone
    this.status = el("p", { class: "sr-only", role: "status" });
    this.more = el("button", { class: "button plain", type: "button", hidden: true }, gettext("Show more"));
    const close = el("button", { class: "icon-button", type: "button", "data-close": true, "aria-label": gettext("Close") }, icon("close"));
    this.dialog = wireDialog(el("dialog", { class: "palette", "aria-label": gettext("Search") },
      el("div", { class: "ask" }, icon("search"), this.input, close), el("div", { class: "found" }, this.list, this.none, this.more), this.status));
    this.asked = 0;
    this.results = [];
    this.input.addEventListener("input", () => this.typed());
    this.dialog.addEventListener("keydown", (event) => this.key(event));
    this.dialog.addEventListener("close", () => { this.asked++; clearTimeout(this.timer); });
    this.more.addEventListener("click", () => this.ask(this.input.value.trim(), this.next));
    document.body.append(this.dialog);
  }

  /** `question`: what was typed while this module was fetched. */
  open(question) {
    if (this.dialog.open) return;
    this.input.value = question;
    this.results = [];
    this.next = null;
    this.failure = "";
    this.dialog.showModal();
    this.input.focus();
    this.typed();
  }

  typed() {
    clearTimeout(this.timer);
    const question = this.input.value.trim();
    this.asked++; // what is under way is out of date
    if (question.length < 2) {
      Object.assign(this, { results: [], next: null, failure: "" });
      this.draw();
      return;
    }
    this.draw();
    this.timer = setTimeout(() => this.ask(question), REST);
  }

  async ask(question, cursor = "") {
    const mine = ++this.asked;
    try {
      const query = new URLSearchParams({ q: question, ...(cursor ? { cursor } : {}) });
      const { results, next } = await call("GET", `/api/search/?${query}`);
      if (mine !== this.asked) return;
      Object.assign(this, { results: cursor ? [...this.results, ...results] : results, next, failure: "" });
    } catch (error) {
      if (mine !== this.asked) return;
      Object.assign(this, { results: [], next: null, failure: error.message });
    }
    this.draw(question);
    this.status.textContent = this.failure || fill(ngettext("%(n)s result", "%(n)s results", this.results.length), { n: number(this.results.length) });
  }

  // --- Drawing ----------------------------------------------------------------------------------------------

  /** `answered` is the question that the results are for; without it they are still on their way. */
  draw(answered = null) {
    const wanted = folded(this.input.value.trim());
    const fitting = commands().filter(({ words }) => folded(words).includes(wanted));
    const titles = this.results.filter((each) => !each.message);
    const messages = this.results.filter((each) => each.message);
    const groups = [
      ["commands", gettext("Commands"), fitting.map((each) => this.command(each))],
      ["titles", gettext("Conversations"), titles.map((each) => this.result(each))],
      ["messages", gettext("Messages"), messages.map((each) => this.result(each))],
    ].filter(([, , options]) => options.length);
    const kept = this.current?.dataset.key;
    this.list.replaceChildren(...groups.map(([name, words, options]) =>
      el("div", { role: "group", "aria-labelledby": `palette-${name}` }, el("h3", { id: `palette-${name}`, role: "presentation" }, words), ...options)));
    const isEmpty = !groups.length;
    this.none.textContent = this.failure || gettext("Nothing found.");
    this.none.hidden = !this.failure && !(isEmpty && answered !== null);
    this.list.hidden = isEmpty;
    this.input.setAttribute("aria-expanded", String(!isEmpty));
    this.options.forEach((option, i) => { option.id = `palette-option-${i}`; });
    this.more.hidden = !this.next;
    this.mark(this.options.find((option) => option.dataset.key === kept) ?? this.options[0]);
  }

  option(key, run, ...children) {
    const option = el("div", { role: "option", "aria-selected": "false", "data-key": key }, ...children);
    option.addEventListener("click", () => { this.dialog.close(); run(); });
    option.addEventListener("pointermove", () => { if (this.current !== option) this.mark(option); });
    return option;
  }

  command({ name, words, run }) {
    return this.option(`command ${name}`, run, icon(name), el("span", { class: "what" }, words));
  }

  result(result) {
    const { conversation, message, pieces, at } = result;
    const words = el("span", { class: "what", dir: "auto" }, ...pieces.map(({ text, match }) => (match ? el("mark", {}, text) : text)));
    const day = date(at, { dateStyle: "medium" });
    const title = conversation.title || gettext("New chat");
    const where = message ? el("span", { class: "where" }, el("span", { dir: "auto" }, title), ` · ${day}`) : el("span", { class: "where" }, conversation.archived ? `${gettext("Archived")} · ${day}` : day);
    return this.option(message?.id ?? conversation.id, () => visit(result), icon("chat"), el("span", { class: "lines" }, words, where));
  }

  // --- Keys -------------------------------------------------------------------------------------------------

  get options() {
    return [...this.list.querySelectorAll("[role=option]")];
  }

  mark(option) {
    this.current?.setAttribute("aria-selected", "false");
    this.current = option;
    if (!option) { this.input.removeAttribute("aria-activedescendant"); return; }
    option.setAttribute("aria-selected", "true");
    this.input.setAttribute("aria-activedescendant", option.id);
  }

  key(event) {
    if (event.isComposing || event.target !== this.input) return;
    const all = this.options;
    const at = all.indexOf(this.current);
    const to = { ArrowDown: (at + 1) % all.length, ArrowUp: (at - 1 + all.length) % all.length, PageDown: Math.min(at + 8, all.length - 1), PageUp: Math.max(at - 8, 0) }[event.key];
    if (to !== undefined && all.length) {
      event.preventDefault();
      this.mark(all[to]);
      this.current.scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter") {
      event.preventDefault();
      this.current?.click();
    }
  }
}

let palette = null;

export function open(question) {
  palette ??= new Palette();
  palette.open(question);
}
