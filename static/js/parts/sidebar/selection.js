/**
 * Choosing several conversations of the sidebar, and what can be done to them at once.
 *
 * @import { Sidebar } from "grokweb/parts/sidebar/sidebar.js"
 */

import { number } from "grokweb/base/format.js";
import { fill, gettext, ngettext } from "grokweb/base/i18n.js";
import { el, find, findOptional, UNMARKED } from "grokweb/ui/dom.js";
import { openMenu } from "grokweb/ui/menu.js";

export class Selection {
  /** @param {Sidebar} sidebar */
  constructor(sidebar) {
    this.sidebar = sidebar;
    this.on = false;
    /** @type {Set<string>} */
    this.chosen = new Set();
    this.node = el("div");
    sidebar.nav.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !this.on || event.defaultPrevented) return;
      event.preventDefault();
      this.end();
    });
  }

  /** @param {string} id */
  begin(id) {
    this.on = true;
    this.chosen = new Set([id]);
    this.node = this.build();
    this.sidebar.draw();
    const row = this.sidebar.rows.get(id);
    if (row) findOptional("input", row.node)?.focus();
  }

  end() {
    if (!this.on) return;
    const last = [...this.chosen].at(-1) ?? "";
    this.on = false;
    this.chosen.clear();
    this.sidebar.draw();
    findOptional("a", this.sidebar.rows.get(last)?.node ?? this.sidebar.nav)?.focus(UNMARKED);
  }

  /** @param {string} id */
  forget(id) {
    this.chosen.delete(id);
  }

  /**
   * Makes the checkbox of a conversation.
   * @param {string} id @param {string} title @param {HTMLElement} node  its row
   */
  choice(id, title, node) {
    const box = el("input", { type: "checkbox" });
    box.checked = this.chosen.has(id);
    box.addEventListener("change", () => {
      if (box.checked) this.chosen.add(id);
      else this.chosen.delete(id);
      node.classList.toggle("chosen", box.checked);
      this.count();
    });
    node.classList.toggle("chosen", box.checked);
    return el("label", { class: "choice" }, box, el("span", { dir: "auto" }, title));
  }

  /** Returns the bar above the list, while choosing. */
  bar() {
    if (!this.on) return [];
    this.count();
    return [this.node];
  }

  count() {
    const n = this.chosen.size;
    const words = fill(ngettext("%(n)s selected", "%(n)s selected", n), { n: number(n) });
    find("[role=status]", this.node).textContent = words;
    /** @type {NodeListOf<HTMLButtonElement>} */
    const buttons = this.node.querySelectorAll("[data-needs]");
    for (const each of buttons) each.disabled = !n;
  }

  build() {
    const button = (
      /** @type {string} */ words,
      /** @type {(button: HTMLButtonElement) => void} */ run,
      /** @type {Record<string, string | boolean>} */ attributes = {},
    ) => {
      const made = el("button", { class: "button plain", type: "button", ...attributes }, words);
      made.addEventListener("click", () => run(made));
      return made;
    };
    const { sidebar } = this;
    const { actions, isArchive } = sidebar;
    const archive = async () => {
      const ids = [...this.chosen];
      await (isArchive ? actions.move(ids, "unarchive") : actions.archive(ids));
      this.end();
    };
    const move = (/** @type {HTMLButtonElement} */ made) =>
      openMenu(made, sidebar.folderChoices([...this.chosen], null, () => this.end()));
    const opensMenu = { "data-needs": true, "aria-haspopup": "menu", "aria-expanded": "false" };
    return el("div", { class: "selection", role: "group", "aria-label": gettext("Selected conversations") },
      el("div", { class: "line" },
        el("p", { role: "status" }),
        button(gettext("Select all"), () => this.selectAll()),
        button(gettext("Done"), () => this.end())),
      el("div", { class: "line" },
        button(isArchive ? gettext("Take out") : gettext("Archive"), archive, { "data-needs": true }),
        button(gettext("Move"), move, opensMenu),
        button(gettext("Delete"), () => sidebar.deleteDialog.ask([...this.chosen]), { "data-needs": true })));
  }

  /** Selects all that the list shows. */
  selectAll() {
    for (const [id, { node }] of this.sidebar.rows) {
      if (!node.isConnected) continue;
      this.chosen.add(id);
      node.classList.add("chosen");
      find("input", node).checked = true;
    }
    this.count();
  }
}
