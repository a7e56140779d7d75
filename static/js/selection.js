/** Choosing several conversations of the sidebar, and what can be done to them at once. */

import { el, find } from "grokweb/dom.js";
import { openMenu } from "grokweb/menu.js";
import { fill, gettext, ngettext, number } from "grokweb/words.js";

export class Selection {
  constructor(sidebar) {
    Object.assign(this, { sidebar, on: false, chosen: new Set(), node: null });
    sidebar.nav.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !this.on || event.defaultPrevented) return;
      event.preventDefault();
      this.end();
    });
  }

  /** What a row's look depends on. */
  stamp() {
    return this.on ? "choose" : "";
  }

  begin(id) {
    this.on = true;
    this.chosen = new Set([id]);
    this.node = this.build();
    this.sidebar.draw();
    find("input", this.sidebar.rows.get(id))?.focus();
  }

  end() {
    if (!this.on) return;
    const last = [...this.chosen].at(-1);
    this.on = false;
    this.chosen.clear();
    this.sidebar.draw();
    find("a", this.sidebar.rows.get(last) ?? this.sidebar.nav)?.focus({ focusVisible: false });
  }

  forget(id) {
    this.chosen.delete(id);
  }

  choice(id, title) {
    const box = el("input", { type: "checkbox" });
    box.checked = this.chosen.has(id);
    box.addEventListener("change", () => {
      if (box.checked) this.chosen.add(id);
      else this.chosen.delete(id);
      this.sidebar.rows.get(id).classList.toggle("chosen", box.checked);
      this.count();
    });
    this.sidebar.rows.get(id).classList.toggle("chosen", box.checked);
    return el("label", { class: "choice" }, box, el("span", { dir: "auto" }, title));
  }

  /** The bar above the list, while choosing. */
  bar() {
    if (!this.on) return [];
    this.count();
    return [this.node];
  }

  count() {
    const n = this.chosen.size;
    find("[role=status]", this.node).textContent = fill(ngettext("%(n)s selected", "%(n)s selected", n), { n: number(n) });
    for (const button of this.node.querySelectorAll("[data-needs]")) button.disabled = !n;
  }

  build() {
    const button = (words, run, more = {}) => {
      const made = el("button", { class: "button plain", type: "button", ...more }, words);
      made.addEventListener("click", () => run(made));
      return made;
    };
    const { mover } = this.sidebar;
    const archive = this.sidebar.archive;
    const act = async (action) => { await mover.move([...this.chosen], action); this.end(); };
    return el("div", { class: "selection", role: "group", "aria-label": gettext("Selected conversations") },
      el("div", { class: "line" }, el("p", { role: "status" }), button(gettext("Select all"), () => this.selectAll()), button(gettext("Done"), () => this.end())),
      el("div", { class: "line" },
        button(archive ? gettext("Take out") : gettext("Archive"), () => act(archive ? "unarchive" : "archive"), { "data-needs": true }),
        button(gettext("Move"), (made) => openMenu(made, this.sidebar.folderChoices([...this.chosen], null, () => this.end())), { "data-needs": true, "aria-haspopup": "menu", "aria-expanded": "false" }),
        button(gettext("Delete"), () => this.sidebar.ask([...this.chosen]), { "data-needs": true })));
  }

  /** All that the list shows. */
  selectAll() {
    for (const [id, row] of this.sidebar.rows) {
      if (!row.isConnected) continue;
      this.chosen.add(id);
      row.classList.add("chosen");
      find("input", row).checked = true;
    }
    this.count();
  }
}
