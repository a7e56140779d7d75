/**
 * One conversation of the sidebar: its link, the dot that tells of its reply, its menu, and the box that
 * renames it.
 *
 * @import { Sidebar } from "grokweb/parts/sidebar/sidebar.js"
 * @import { MenuItem } from "grokweb/ui/menu.js"
 * @import { Conversation } from "grokweb/wire/objects.js"
 * @typedef {"live" | "new"} Dot  a reply is being written, or has been and was not seen
 */

import { fill, gettext } from "grokweb/base/i18n.js";
import { isBlank } from "grokweb/base/text.js";
import { chooseExport } from "grokweb/parts/sidebar/export.js";
import { el, findOptional, icon } from "grokweb/ui/dom.js";
import { openMenu } from "grokweb/ui/menu.js";

export class SidebarRow {
  /** @param {Sidebar} sidebar */
  constructor(sidebar) {
    this.sidebar = sidebar;
    this.node = el("li", { class: "entry" });
    this.shown = ""; // all that the row depends on: it is drawn again when this changes
  }

  /** @param {Conversation} conversation */
  draw(conversation) {
    const { sidebar, node } = this;
    const { id } = conversation;
    const isCurrent = id === sidebar.current;
    node.classList.toggle("open", isCurrent);
    if (findOptional("input[type=text]", node)) return; // being renamed
    const dot = sidebar.dots.get(id);
    const shown = `${conversation.title}|${dot}|${isCurrent}|${sidebar.selection.on}`;
    if (this.shown === shown) return;
    this.shown = shown;
    const title = conversation.title || gettext("New chat");
    node.classList.remove("chosen");
    if (sidebar.selection.on) node.replaceChildren(sidebar.selection.choice(id, title, node));
    else {
      const link = this.link(conversation, title, isCurrent);
      const parts = [dot ? this.dot(dot) : null, link, this.moreButton(id, title)];
      node.replaceChildren(...parts.filter((each) => each !== null));
    }
  }

  /** @param {Dot} kind */
  dot(kind) {
    const words = kind === "live" ? gettext("A reply is being written") : gettext("A new reply");
    return el("span", { class: `dot ${kind}`, role: "img", "aria-label": words });
  }

  /** @param {Conversation} conversation @param {string} title @param {boolean} isCurrent */
  link({ id, url }, title, isCurrent) {
    const link = el("a", { href: url, title, dir: "auto", "aria-current": isCurrent ? "page" : null }, title);
    link.addEventListener("click", (event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
      event.preventDefault();
      this.sidebar.go(id);
    });
    return link;
  }

  /** @param {string} id @param {string} title */
  moreButton(id, title) {
    const words = fill(gettext("More about “%(title)s”"), { title });
    const more = el("button", {
      class: "icon-button", type: "button", "aria-haspopup": "menu", "aria-expanded": "false",
      "aria-label": words, title: gettext("More"),
    }, icon("more"));
    more.addEventListener("click", () => {
      const conversation = this.sidebar.get(id);
      if (conversation) openMenu(more, this.menu(conversation, more));
    });
    return more;
  }

  /** @param {Conversation} conversation @param {HTMLElement} button @returns {MenuItem[]} */
  menu(conversation, button) {
    const { sidebar } = this;
    const { actions, selection, nav } = sidebar;
    const { id, pinned, archived } = conversation;
    const pin = () => { actions.change(id, pinned ? { pinned: false } : { pinned: true, archived: false }); };
    const archive = () => {
      if (archived) actions.change(id, { archived: false });
      else actions.archive([id]);
    };
    const chooseFolder = () =>
      openMenu(button.isConnected ? button : nav, sidebar.folderChoices([id], sidebar.get(id)?.folder));
    const failed = (/** @type {string} */ words) => sidebar.notices.show("sidebar", words, { kind: "bad" });
    return [
      { name: "pencil", words: gettext("Rename"), run: () => this.rename(id) },
      { name: "pin", words: pinned ? gettext("Unpin") : gettext("Pin"), run: pin },
      { name: "folder", words: gettext("Move to a folder"), run: chooseFolder },
      { name: "archive", words: archived ? gettext("Take out of the archive") : gettext("Archive"), run: archive },
      { name: "download", words: gettext("Export…"), run: () => chooseExport(button, conversation, failed) },
      { name: "check", words: gettext("Select several"), run: () => selection.begin(id) },
      { name: "trash", words: gettext("Delete"), danger: true, run: () => sidebar.deleteDialog.ask([id]) },
    ];
  }

  /**
   * Replaces the row by a box with its title.
   * @param {string} id
   */
  rename(id) {
    const { sidebar, node } = this;
    const title = sidebar.get(id)?.title ?? "";
    const input = el("input", { type: "text", maxlength: "120", "aria-label": gettext("New title"), dir: "auto" });
    input.value = title;
    let over = false;
    const end = async (/** @type {boolean} */ save) => {
      if (over) return;
      over = true;
      const wanted = input.value.trim();
      this.shown = "";
      node.replaceChildren();
      const conversation = sidebar.get(id);
      if (conversation) this.draw(conversation);
      findOptional("a", node)?.focus({ preventScroll: true });
      if (!save || isBlank(wanted) || wanted === title) return;
      await sidebar.actions.change(id, { title: wanted });
      const renamed = sidebar.get(id);
      if (renamed) sidebar.renamed(renamed);
    };
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") end(true);
      else if (event.key === "Escape") { event.stopPropagation(); end(false); }
    });
    input.addEventListener("blur", () => end(true));
    node.replaceChildren(input);
    input.select();
    input.focus();
  }
}
