/** The list of conversations: by date, with a dot where a reply is written, renamed and deleted in place. */

import { call } from "grokweb/api.js";
import { el, find, icon, showError, wireDialog } from "grokweb/dom.js";
import { chooseExport } from "grokweb/export.js";
import { openMenu } from "grokweb/menu.js";
import { fill, gettext, period } from "grokweb/words.js";

export class Sidebar {
  /** `go(id)` opens a conversation, `renamed(conversation)` and `deleted(id)` tell the page, `failed(words)` warns. */
  constructor(nav, { conversations, next, go, renamed, deleted, failed }) {
    Object.assign(this, { nav, next, go, renamed, deleted, failed });
    this.all = new Map(conversations.map((each) => [each.id, each]));
    this.rows = new Map(); // id -> li
    this.dots = new Map(); // id -> "live" | "new"
    this.current = null;
    this.dialog = wireDialog(find("#delete-dialog"));
    find("form", this.dialog).addEventListener("submit", (event) => { event.preventDefault(); this.confirmed(); });
    this.draw();
  }

  get(id) {
    return this.all.get(id);
  }

  put(conversation) {
    this.all.set(conversation.id, conversation);
    this.draw();
  }

  remove(id) {
    this.all.delete(id);
    this.rows.delete(id);
    this.dots.delete(id);
    this.draw();
  }

  /** The first page as the server has it now, after a lost connection. */
  refresh({ conversations, next }) {
    const oldest = conversations.at(-1)?.updated_at;
    for (const [id, each] of this.all) if (!next || each.updated_at >= oldest) this.all.delete(id);
    for (const each of conversations) this.all.set(each.id, each);
    if (!this.all.size || this.all.size === conversations.length) this.next = next;
    this.draw();
  }

  open(id) {
    this.current = id;
    if (this.dots.get(id) === "new") this.dots.delete(id);
    this.draw();
  }

  dot(id, kind) {
    if (kind) this.dots.set(id, kind);
    else this.dots.delete(id);
    const conversation = this.all.get(id);
    if (conversation) this.fillRow(this.rows.get(id), conversation);
  }

  draw() {
    const sorted = [...this.all.values()].sort((a, b) => (a.updated_at < b.updated_at ? 1 : -1));
    const nodes = [];
    let heading = "";
    let list = null;
    for (const conversation of sorted) {
      const words = period(conversation.updated_at);
      if (words !== heading) {
        heading = words;
        list = el("ul", {});
        nodes.push(el("h2", {}, words), list);
      }
      list.append(this.row(conversation));
    }
    if (!nodes.length) nodes.push(el("p", { class: "none" }, gettext("Your conversations will appear here.")));
    if (this.next) nodes.push(this.olderButton());
    const focused = this.nav.contains(document.activeElement) ? document.activeElement : null;
    const top = this.nav.scrollTop;
    this.nav.replaceChildren(...nodes);
    this.nav.scrollTop = top;
    if (focused?.isConnected) focused.focus({ preventScroll: true });
  }

  row(conversation) {
    let row = this.rows.get(conversation.id);
    if (!row) {
      row = el("li", { class: "entry" });
      this.rows.set(conversation.id, row);
    }
    this.fillRow(row, conversation);
    return row;
  }

  fillRow(row, conversation) {
    row.classList.toggle("open", conversation.id === this.current);
    if (find("input", row)) return; // being renamed
    const kind = this.dots.get(conversation.id);
    const shown = `${conversation.title}|${kind}|${conversation.id === this.current}`;
    if (row.dataset.shown === shown) return;
    row.dataset.shown = shown;
    const title = conversation.title || gettext("New chat");
    const link = el("a", { href: conversation.url, title, dir: "auto", "aria-current": conversation.id === this.current ? "page" : null }, title);
    link.addEventListener("click", (event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
      event.preventDefault();
      this.go(conversation.id);
    });
    const words = fill(gettext("More about “%(title)s”"), { title });
    const more = el("button", { class: "icon-button", type: "button", "aria-haspopup": "menu", "aria-expanded": "false", "aria-label": words, title: gettext("More") }, icon("more"));
    more.addEventListener("click", () => openMenu(more, [
      { name: "pencil", words: gettext("Rename"), run: () => this.rename(conversation.id) },
      { name: "download", words: gettext("Export…"), run: () => chooseExport(more, conversation, this.failed) },
      { name: "trash", words: gettext("Delete"), danger: true, run: () => this.ask(conversation.id) },
    ]));
    const dot = kind && el("span", { class: `dot ${kind}`, role: "img", "aria-label": kind === "live" ? gettext("A reply is being written") : gettext("A new reply") });
    row.replaceChildren(...[dot, link, more].filter(Boolean));
  }

  rename(id) {
    const row = this.rows.get(id);
    const { title } = this.all.get(id);
    const input = el("input", { type: "text", maxlength: "120", "aria-label": gettext("New title"), dir: "auto" });
    input.value = title;
    let over = false;
    const end = async (save) => {
      if (over) return;
      over = true;
      const wanted = input.value.trim();
      delete row.dataset.shown;
      row.replaceChildren();
      if (this.all.has(id)) this.fillRow(row, this.all.get(id));
      find("a", row)?.focus({ preventScroll: true });
      if (!save || !wanted || wanted === title) return;
      this.put({ ...this.all.get(id), title: wanted }); // at once; put back if the server says no
      try {
        const answer = await call("PATCH", `/api/conversations/${id}/`, { title: wanted });
        const conversation = answer.conversation ?? answer;
        if (this.all.has(id)) this.put({ ...this.all.get(id), title: conversation.title ?? wanted });
        this.renamed(this.all.get(id));
      } catch (error) {
        if (this.all.has(id)) this.put({ ...this.all.get(id), title });
        this.failed(error.message);
      }
    };
    input.addEventListener("keydown", (event) => {
      if (event.isComposing) return;
      if (event.key === "Enter") end(true);
      else if (event.key === "Escape") { event.stopPropagation(); end(false); }
    });
    input.addEventListener("blur", () => end(true));
    row.replaceChildren(input);
    input.select();
    input.focus();
  }

  ask(id) {
    this.doomed = id;
    const title = this.all.get(id).title || gettext("New chat");
    find("[data-what]", this.dialog).textContent = fill(gettext("“%(title)s” and its shared links will be gone for good."), { title });
    showError(this.dialog);
    this.dialog.showModal();
  }

  async confirmed() {
    const id = this.doomed;
    const button = find("[type=submit]", this.dialog);
    button.disabled = true;
    try {
      await call("DELETE", `/api/conversations/${id}/`);
      this.dialog.close();
      this.remove(id);
      this.deleted(id);
    } catch (error) {
      showError(this.dialog, error.message);
    } finally {
      button.disabled = false;
    }
  }

  olderButton() {
    const button = el("button", { class: "button plain older", type: "button" }, gettext("Show older"));
    button.addEventListener("click", async () => {
      button.disabled = true;
      try {
        const { conversations, next } = await call("GET", `/api/conversations/?cursor=${encodeURIComponent(this.next)}`);
        for (const each of conversations) this.all.set(each.id, each);
        this.next = next;
        this.draw();
      } catch (error) {
        button.disabled = false;
        this.failed(error.message);
      }
    });
    return button;
  }
}
