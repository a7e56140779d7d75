/** The list of conversations: pinned, in folders, by date, or the archive; with a dot where a reply is written. */

import { call } from "grokweb/api.js";
import { isBlank } from "grokweb/blank.js";
import { el, find, icon, showError, wireDialog } from "grokweb/dom.js";
import { chooseExport } from "grokweb/export.js";
import { Folders } from "grokweb/folders.js";
import { openMenu } from "grokweb/menu.js";
import { Mover } from "grokweb/moving.js";
import { ARCHIVE, byPlace, pageUrl, PINNED, RECENT, refreshed } from "grokweb/places.js";
import { Selection } from "grokweb/selection.js";
import { fill, gettext, ngettext, number, period } from "grokweb/words.js";

export class Sidebar {
  /** `go(id)` opens a conversation, `renamed(conversation)` and `deleted(id)` tell the page. */
  constructor(nav, { conversations, next, folders, notices, go, renamed, deleted }) {
    Object.assign(this, { nav, go, renamed, notices });
    this.all = new Map(conversations.map((each) => [each.id, each]));
    this.rows = new Map(); // id -> li
    this.heads = new Map(); // folder -> its line
    this.dots = new Map(); // id -> "live" | "new"
    this.next = new Map([[RECENT, next]]); // place -> cursor of its next page, null at its end; a place without was not fetched
    this.unfolded = new Set(); // folders that are open
    this.archive = false; // whether the archive is shown instead
    this.current = null;
    this.mover = new Mover(this, { notices, deleted, go });
    this.folders = new Folders(folders, { notices, changed: () => this.draw(), lost: () => this.restart() });
    this.selection = new Selection(this);
    this.dialog = wireDialog(find("#delete-dialog"));
    find("form", this.dialog).addEventListener("submit", (event) => { event.preventDefault(); this.confirmed(); });
    this.draw();
  }

  get(id) {
    return this.all.get(id);
  }

  /** New or changed; a temporary one is in no list. */
  put(conversation) {
    if (conversation.temporary) return;
    this.all.set(conversation.id, conversation);
    this.draw();
  }

  remove(id) {
    this.all.delete(id);
    this.rows.delete(id);
    this.dots.delete(id);
    this.selection.forget(id);
    this.draw();
  }

  /** The first page as the server has it now, after a lost connection. Other places are fetched again when seen. */
  refresh({ conversations, next, folders }) {
    this.folders.list = folders;
    const { all, complete } = refreshed([...this.all.values()], conversations, next, this.folders.ids);
    this.all = new Map(all.map((each) => [each.id, each]));
    this.next = new Map([[RECENT, complete ? next : this.next.get(RECENT)]]);
    this.unfolded = new Set([...this.unfolded].filter((id) => this.folders.ids.has(id)));
    this.draw();
    for (const place of this.archive ? [ARCHIVE] : this.unfolded) this.load(place);
  }

  /** As the page was opened: what was in a folder that is gone may stand anywhere among the recent ones. */
  async restart() {
    try {
      const page = await call("GET", pageUrl(RECENT));
      this.all.clear();
      this.next.set(RECENT, null);
      this.refresh(page);
    } catch (error) {
      this.mover.failed(error);
    }
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
    if (conversation && this.rows.has(id)) this.fillRow(this.rows.get(id), conversation);
  }

  // --- Drawing ----------------------------------------------------------------------------------------------

  draw() {
    const places = byPlace(this.all.values(), this.folders.ids);
    const nodes = this.archive ? this.drawArchive(places) : this.drawMain(places);
    const focused = this.nav.contains(document.activeElement) ? document.activeElement : null;
    const top = this.nav.scrollTop;
    this.nav.replaceChildren(...this.selection.bar(), ...nodes);
    this.nav.scrollTop = top;
    if (focused?.isConnected) focused.focus({ preventScroll: true });
  }

  drawMain(places) {
    const nodes = [];
    const pinned = places.get(PINNED) ?? [];
    if (pinned.length) nodes.push(el("h2", {}, gettext("Pinned")), this.list(pinned));
    if (this.folders.list.length) nodes.push(el("h2", {}, gettext("Folders")), ...this.folders.list.flatMap((folder) => this.drawFolder(folder, places.get(folder.id) ?? [])));
    nodes.push(...this.byDate(places.get(RECENT) ?? []));
    if (!nodes.length) nodes.push(el("p", { class: "none" }, gettext("Your conversations will appear here.")));
    if (this.next.get(RECENT)) nodes.push(this.olderButton(RECENT));
    this.archiveButton ??= this.textRow("archive", gettext("Archived"), () => this.showArchive(true));
    nodes.push(this.archiveButton);
    return nodes;
  }

  drawArchive(places) {
    const archived = places.get(ARCHIVE) ?? [];
    this.backButton ??= this.textRow("back", gettext("All conversations"), () => this.showArchive(false));
    const nodes = [this.backButton, el("h2", {}, gettext("Archived"))];
    if (archived.length) nodes.push(this.list(archived));
    else if (this.next.has(ARCHIVE)) nodes.push(el("p", { class: "none" }, gettext("Nothing is archived.")));
    if (this.next.get(ARCHIVE)) nodes.push(this.olderButton(ARCHIVE));
    return nodes;
  }

  byDate(conversations) {
    const nodes = [];
    let heading = "";
    for (const conversation of conversations) {
      const words = period(conversation.updated_at);
      if (words !== heading) nodes.push(el("h2", {}, words), el("ul", {}));
      heading = words;
      nodes.at(-1).append(this.row(conversation));
    }
    return nodes;
  }

  list(conversations) {
    return el("ul", {}, ...conversations.map((each) => this.row(each)));
  }

  textRow(name, words, run) {
    const button = el("button", { class: "text-row", type: "button" }, icon(name), words);
    button.addEventListener("click", run);
    return button;
  }

  // --- Folders and the archive ------------------------------------------------------------------------------

  drawFolder(folder, conversations) {
    const unfolded = this.unfolded.has(folder.id);
    if (!this.heads.has(folder.id)) this.heads.set(folder.id, this.folderHead(folder.id));
    const { line, toggle, name, more } = this.heads.get(folder.id);
    toggle.setAttribute("aria-expanded", String(unfolded));
    name.textContent = folder.name;
    more.setAttribute("aria-label", fill(gettext("More about the folder “%(name)s”"), { name: folder.name }));
    if (!unfolded) return [line];
    const list = el("ul", { class: "in-folder", "aria-label": folder.name }, ...conversations.map((each) => this.row(each)));
    if (!conversations.length && this.next.has(folder.id)) list.append(el("li", { class: "none" }, gettext("Empty")));
    return [line, list, ...(this.next.get(folder.id) ? [this.olderButton(folder.id)] : [])];
  }

  folderHead(id) {
    const name = el("span", { class: "name", dir: "auto" });
    const toggle = el("button", { class: "text-row", type: "button" }, icon("folder"), name);
    const more = el("button", { class: "icon-button", type: "button", "aria-haspopup": "menu", "aria-expanded": "false", title: gettext("More") }, icon("more"));
    toggle.addEventListener("click", () => {
      if (!this.unfolded.delete(id)) {
        this.unfolded.add(id);
        if (!this.next.has(id)) this.load(id);
      }
      this.draw();
    });
    more.addEventListener("click", () => {
      const folder = this.folders.list.find((each) => each.id === id);
      openMenu(more, [
        { name: "pencil", words: gettext("Rename"), run: () => this.folders.rename(folder) },
        { name: "trash", words: gettext("Delete the folder only"), danger: true, run: () => this.folders.delete(folder) },
      ]);
    });
    return { line: el("div", { class: "folder" }, toggle, more), toggle, name, more };
  }

  showArchive(shown) {
    this.archive = shown;
    if (shown && !this.next.has(ARCHIVE)) this.load(ARCHIVE);
    this.draw();
    (shown ? this.backButton : this.archiveButton).focus({ focusVisible: false });
    this.nav.scrollTop = shown ? 0 : this.nav.scrollHeight;
  }

  async load(place) {
    try {
      const { conversations, next } = await call("GET", pageUrl(place, this.next.get(place)));
      for (const each of conversations) this.all.set(each.id, each);
      this.next.set(place, next);
      this.draw();
    } catch (error) {
      this.mover.failed(error);
    }
  }

  olderButton(place) {
    const button = el("button", { class: "button plain older", type: "button" }, gettext("Show older"));
    button.addEventListener("click", async () => {
      button.disabled = true;
      await this.load(place);
      button.disabled = false;
    });
    return button;
  }

  // --- One conversation -------------------------------------------------------------------------------------

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
    if (find("input[type=text]", row)) return; // being renamed
    const kind = this.dots.get(conversation.id);
    const shown = `${conversation.title}|${kind}|${conversation.id === this.current}|${this.selection.stamp()}`;
    if (row.dataset.shown === shown) return;
    row.dataset.shown = shown;
    const title = conversation.title || gettext("New chat");
    row.classList.remove("chosen");
    if (this.selection.on) { row.replaceChildren(this.selection.choice(conversation.id, title)); return; }
    const dot = kind && el("span", { class: `dot ${kind}`, role: "img", "aria-label": kind === "live" ? gettext("A reply is being written") : gettext("A new reply") });
    row.replaceChildren(...[dot, this.link(conversation, title), this.moreButton(conversation.id, title)].filter(Boolean));
  }

  link(conversation, title) {
    const link = el("a", { href: conversation.url, title, dir: "auto", "aria-current": conversation.id === this.current ? "page" : null }, title);
    link.addEventListener("click", (event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
      event.preventDefault();
      this.go(conversation.id);
    });
    return link;
  }

  moreButton(id, title) {
    const words = fill(gettext("More about “%(title)s”"), { title });
    const more = el("button", { class: "icon-button", type: "button", "aria-haspopup": "menu", "aria-expanded": "false", "aria-label": words, title: gettext("More") }, icon("more"));
    more.addEventListener("click", () => openMenu(more, this.menu(id, more)));
    return more;
  }

  menu(id, button) {
    const { pinned, archived } = this.all.get(id);
    return [
      { name: "pencil", words: gettext("Rename"), run: () => this.rename(id) },
      { name: "pin", words: pinned ? gettext("Unpin") : gettext("Pin"), run: () => this.mover.change(id, pinned ? { pinned: false } : { pinned: true, archived: false }) },
      { name: "folder", words: gettext("Move to a folder"), run: () => openMenu(button.isConnected ? button : this.nav, this.folderChoices([id], this.all.get(id).folder)) },
      { name: "archive", words: archived ? gettext("Take out of the archive") : gettext("Archive"), run: () => this.mover.change(id, archived ? { archived: false } : { archived: true, pinned: false }) },
      { name: "download", words: gettext("Export…"), run: () => chooseExport(button, this.all.get(id), (words) => this.notices.show("sidebar", words, { kind: "bad" })) },
      { name: "check", words: gettext("Select several"), run: () => this.selection.begin(id) },
      { name: "trash", words: gettext("Delete"), danger: true, run: () => this.ask([id]) },
    ];
  }

  /** Where conversations can be moved; `from` is the folder they are in. */
  folderChoices(ids, from = null, done = () => {}) {
    const move = async (folder) => {
      await this.mover.move(ids, "move", { folder });
      if (folder) this.unfolded.add(folder);
      if (folder && !this.next.has(folder)) this.load(folder);
      else this.draw();
      done();
    };
    const others = this.folders.list.filter((each) => each.id !== from);
    const choices = others.map((each) => ({ name: "folder", words: each.name, run: () => move(each.id) }));
    choices.push({ name: "new", words: gettext("New folder…"), run: () => this.folders.make((folder) => move(folder.id)) });
    if (this.folders.ids.has(from) || ids.length > 1) choices.push({ name: "close", words: gettext("No folder"), run: () => move(null) });
    return choices;
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
      if (!save || isBlank(wanted) || wanted === title) return;
      await this.mover.change(id, { title: wanted });
      if (this.all.has(id)) this.renamed(this.all.get(id));
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

  // --- Deleting ---------------------------------------------------------------------------------------------

  ask(ids) {
    this.doomed = ids;
    const n = ids.length;
    const title = n === 1 ? this.all.get(ids[0])?.title || gettext("New chat") : "";
    find("h2", this.dialog).textContent = n === 1 ? gettext("Delete this conversation?") : fill(ngettext("Delete %(n)s conversation?", "Delete %(n)s conversations?", n), { n: number(n) });
    find("[data-what]", this.dialog).textContent = n === 1
      ? fill(gettext("“%(title)s” will be deleted, and its shared links stop working for good."), { title })
      : gettext("Their shared links stop working for good.");
    showError(this.dialog);
    this.dialog.showModal();
  }

  async confirmed() {
    const button = find("[type=submit]", this.dialog);
    button.disabled = true;
    this.dialog.close();
    await this.mover.delete(this.doomed);
    this.selection.end();
    button.disabled = false;
  }
}
