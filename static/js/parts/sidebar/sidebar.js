/**
 * The list of conversations: pinned, in folders, by date, or the archive; with a dot where a reply is
 * written.
 *
 * @import { Dot } from "grokweb/parts/sidebar/row.js"
 * @import { MenuItem } from "grokweb/ui/menu.js"
 * @import { Notices } from "grokweb/ui/notices.js"
 * @import { Conversation, ConversationPage, Folder } from "grokweb/wire/objects.js"
 * @typedef {{ line: HTMLElement, toggle: HTMLElement, name: HTMLElement, more: HTMLElement }} FolderHead
 */

import { period } from "grokweb/base/format.js";
import { fill, gettext } from "grokweb/base/i18n.js";
import { SidebarActions } from "grokweb/parts/sidebar/actions.js";
import { DeleteDialog } from "grokweb/parts/sidebar/delete_dialog.js";
import { Folders } from "grokweb/parts/sidebar/folders.js";
import { SidebarRow } from "grokweb/parts/sidebar/row.js";
import { Selection } from "grokweb/parts/sidebar/selection.js";
import {
  ARCHIVE, bySection, newestFirst, pageUrl, PINNED, RECENT, refreshed,
} from "grokweb/state/sidebar_sections.js";
import { el, find, icon, UNMARKED } from "grokweb/ui/dom.js";
import { openMenu } from "grokweb/ui/menu.js";
import { call } from "grokweb/wire/api.js";

export class Sidebar {
  /**
   * @param {HTMLElement} nav
   * @param {ConversationPage & {
   *   notices: Notices,
   *   go: (id: string) => void,
   *   renamed: (conversation: Conversation) => void,
   *   deleted: (id: string) => void,
   * }} options  go opens a conversation
   */
  constructor(nav, { conversations, next, folders, notices, go, renamed, deleted }) {
    this.nav = nav;
    this.go = go;
    this.renamed = renamed;
    this.notices = notices;
    /** @type {Map<string, Conversation>} */
    this.all = new Map(conversations.map((each) => [each.id, each]));
    /** @type {Map<string, SidebarRow>} */
    this.rows = new Map();
    /** @type {Map<string, FolderHead>} */
    this.heads = new Map();
    /** @type {Map<string, Dot>} */
    this.dots = new Map();
    /**
     * @type {Map<string, string | null>} section -> cursor of its next page, null at its end; missing: not
     * fetched
     */
    this.next = new Map([[RECENT, next]]);
    /** @type {Set<string>} folders that are open */
    this.unfolded = new Set();
    this.isArchive = false; // the archive is shown instead
    /** @type {string | null} id of the conversation that is open */
    this.current = null;
    this.archiveButton = textRow("archive", gettext("Archived"), () => this.showArchive(true));
    this.backButton = textRow("back", gettext("All conversations"), () => this.showArchive(false));
    this.actions = new SidebarActions(this, { notices, deleted, go });
    this.folders = new Folders(folders, {
      notices, changed: () => this.draw(), lost: () => { this.restart(); },
    });
    this.selection = new Selection(this);
    this.deleteDialog = new DeleteDialog(find("dialog#delete-dialog"), this);
    this.draw();
  }

  /** @param {string} id */
  get(id) {
    return this.all.get(id);
  }

  get newest() {
    return [...this.all.values()].sort(newestFirst);
  }

  /**
   * Adds or replaces a conversation. A temporary one is in no list.
   * @param {Conversation} conversation
   */
  put(conversation) {
    if (conversation.temporary) return;
    this.all.set(conversation.id, conversation);
    this.draw();
  }

  /** @param {string} id */
  remove(id) {
    this.all.delete(id);
    this.rows.delete(id);
    this.dots.delete(id);
    this.selection.forget(id);
    this.draw();
  }

  /**
   * Takes the first page as the server has it now, after a lost connection. Other sections are fetched again
   * when seen.
   * @param {ConversationPage} page
   */
  refresh({ conversations, next, folders }) {
    this.folders.list = folders;
    const { all, complete } = refreshed([...this.all.values()], conversations, next, this.folders.ids);
    this.all = new Map(all.map((each) => [each.id, each]));
    this.next = new Map([[RECENT, complete ? next : this.next.get(RECENT) ?? null]]);
    this.unfolded = new Set([...this.unfolded].filter((id) => this.folders.ids.has(id)));
    this.draw();
    for (const section of this.isArchive ? [ARCHIVE] : this.unfolded) this.load(section);
  }

  /**
   * Starts again as the page was opened: conversations of a deleted folder may be anywhere among the recent
   * ones.
   */
  async restart() {
    try {
      const page = await call("GET", pageUrl(RECENT));
      this.all.clear();
      this.next.set(RECENT, null);
      this.refresh(page);
    } catch (error) {
      this.actions.showError(error);
    }
  }

  /** @param {string | null} id */
  open(id) {
    this.current = id;
    if (id !== null && this.dots.get(id) === "new") this.dots.delete(id);
    this.draw();
  }

  /** @param {string} id @param {Dot | null} kind */
  dot(id, kind) {
    if (kind) this.dots.set(id, kind);
    else this.dots.delete(id);
    const conversation = this.all.get(id);
    if (conversation) this.rows.get(id)?.draw(conversation);
  }

  // --- Drawing ---------------------------------------------------------------------------------------------

  draw() {
    const sections = bySection(this.all.values(), this.folders.ids);
    const nodes = this.isArchive ? this.drawArchive(sections) : this.drawMain(sections);
    const { activeElement } = document;
    const focused = this.nav.contains(activeElement) ? /** @type {HTMLElement} */ (activeElement) : null;
    const top = this.nav.scrollTop;
    this.nav.replaceChildren(...this.selection.bar(), ...nodes);
    this.nav.scrollTop = top;
    if (focused?.isConnected) focused.focus({ preventScroll: true });
  }

  /** @param {Map<string, Conversation[]>} sections */
  drawMain(sections) {
    /** @type {HTMLElement[]} */
    const nodes = [];
    const pinned = sections.get(PINNED) ?? [];
    if (pinned.length) nodes.push(el("h2", {}, gettext("Pinned")), this.list(pinned));
    if (this.folders.list.length) nodes.push(el("h2", {}, gettext("Folders")));
    for (const folder of this.folders.list) {
      nodes.push(...this.drawFolder(folder, sections.get(folder.id) ?? []));
    }
    nodes.push(...this.drawByDate(sections.get(RECENT) ?? []));
    if (!nodes.length) nodes.push(el("p", { class: "none" }, gettext("Your conversations will appear here.")));
    if (this.next.get(RECENT)) nodes.push(this.olderButton(RECENT));
    nodes.push(this.archiveButton);
    return nodes;
  }

  /** @param {Map<string, Conversation[]>} sections */
  drawArchive(sections) {
    const archived = sections.get(ARCHIVE) ?? [];
    /** @type {HTMLElement[]} */
    const nodes = [this.backButton, el("h2", {}, gettext("Archived"))];
    if (archived.length) nodes.push(this.list(archived));
    else if (this.next.has(ARCHIVE)) nodes.push(el("p", { class: "none" }, gettext("Nothing is archived.")));
    if (this.next.get(ARCHIVE)) nodes.push(this.olderButton(ARCHIVE));
    return nodes;
  }

  /** @param {Conversation[]} conversations */
  drawByDate(conversations) {
    /** @type {HTMLElement[]} */
    const nodes = [];
    let heading = "";
    for (const conversation of conversations) {
      const words = period(conversation.updated_at);
      if (words !== heading) nodes.push(el("h2", {}, words), el("ul", {}));
      heading = words;
      nodes.at(-1)?.append(this.row(conversation));
    }
    return nodes;
  }

  /** @param {Conversation[]} conversations */
  list(conversations) {
    return el("ul", {}, ...conversations.map((each) => this.row(each)));
  }

  /** @param {Conversation} conversation */
  row(conversation) {
    const { id } = conversation;
    const row = this.rows.get(id) ?? new SidebarRow(this);
    this.rows.set(id, row);
    row.draw(conversation);
    return row.node;
  }

  // --- Folders and the archive -----------------------------------------------------------------------------

  /** @param {Folder} folder @param {Conversation[]} conversations */
  drawFolder(folder, conversations) {
    const { id } = folder;
    const isOpen = this.unfolded.has(id);
    const head = this.heads.get(id) ?? this.folderHead(id);
    this.heads.set(id, head);
    head.toggle.setAttribute("aria-expanded", String(isOpen));
    head.name.textContent = folder.name;
    const words = fill(gettext("More about the folder “%(name)s”"), { name: folder.name });
    head.more.setAttribute("aria-label", words);
    if (!isOpen) return [head.line];
    const list = el("ul", { class: "in-folder", "aria-label": folder.name });
    list.append(...conversations.map((each) => this.row(each)));
    if (!conversations.length && this.next.has(id)) list.append(el("li", { class: "none" }, gettext("Empty")));
    return [head.line, list, ...(this.next.get(id) ? [this.olderButton(id)] : [])];
  }

  /** @param {string} id @returns {FolderHead} */
  folderHead(id) {
    const name = el("span", { class: "name", dir: "auto" });
    const toggle = el("button", { class: "text-row", type: "button" }, icon("folder"), name);
    const more = el("button", {
      class: "icon-button", type: "button", "aria-haspopup": "menu", "aria-expanded": "false", title: gettext("More"),
    }, icon("more"));
    toggle.addEventListener("click", () => this.toggleFolder(id));
    more.addEventListener("click", () => {
      const folder = this.folders.list.find((each) => each.id === id);
      if (!folder) return;
      const remove = () => { this.folders.delete(folder); };
      openMenu(more, [
        { name: "pencil", words: gettext("Rename"), run: () => this.folders.rename(folder) },
        { name: "trash", words: gettext("Delete the folder only"), danger: true, run: remove },
      ]);
    });
    return { line: el("div", { class: "folder" }, toggle, more), toggle, name, more };
  }

  /** @param {string} id */
  toggleFolder(id) {
    if (!this.unfolded.delete(id)) {
      this.unfolded.add(id);
      if (!this.next.has(id)) this.load(id);
    }
    this.draw();
  }

  /**
   * Returns menu entries for the folders that conversations can be moved to.
   * @param {string[]} ids @param {string | null} [from]  the folder they are in @param {() => void} [done]
   * @returns {MenuItem[]}
   */
  folderChoices(ids, from = null, done = () => {}) {
    const move = async (/** @type {string | null} */ folder) => {
      await this.actions.move(ids, "move", { folder });
      if (folder) this.unfolded.add(folder);
      if (folder && !this.next.has(folder)) this.load(folder);
      else this.draw();
      done();
    };
    const create = () => this.folders.create((folder) => { move(folder.id); });
    /** @type {MenuItem[]} */
    const choices = this.folders.list.filter((each) => each.id !== from).map(({ id, name }) =>
      ({ name: "folder", words: name, run: () => { move(id); } }));
    choices.push({ name: "new", words: gettext("New folder…"), run: create });
    const isInFolder = from !== null && this.folders.ids.has(from);
    if (isInFolder || ids.length > 1) {
      choices.push({ name: "close", words: gettext("No folder"), run: () => { move(null); } });
    }
    return choices;
  }

  /** @param {boolean} shown */
  showArchive(shown) {
    this.isArchive = shown;
    if (shown && !this.next.has(ARCHIVE)) this.load(ARCHIVE);
    this.draw();
    (shown ? this.backButton : this.archiveButton).focus(UNMARKED);
    this.nav.scrollTop = shown ? 0 : this.nav.scrollHeight;
  }

  /**
   * Fetches the next page of a section.
   * @param {string} section
   */
  async load(section) {
    try {
      const { conversations, next } = await call("GET", pageUrl(section, this.next.get(section)));
      for (const each of conversations) this.all.set(each.id, each);
      this.next.set(section, next);
      this.draw();
    } catch (error) {
      this.actions.showError(error);
    }
  }

  /** @param {string} section */
  olderButton(section) {
    const button = el("button", { class: "button plain load-more", type: "button" }, gettext("Show older"));
    button.addEventListener("click", async () => {
      button.disabled = true;
      await this.load(section);
      button.disabled = false;
    });
    return button;
  }
}

/** @param {string} name  of the icon @param {string} words @param {() => void} run */
function textRow(name, words, run) {
  const button = el("button", { class: "text-row", type: "button" }, icon(name), words);
  button.addEventListener("click", run);
  return button;
}
