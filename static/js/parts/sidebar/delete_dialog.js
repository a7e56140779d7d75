/**
 * The dialog that asks before conversations are deleted.
 *
 * @import { Sidebar } from "grokweb/parts/sidebar/sidebar.js"
 */

import { number } from "grokweb/base/format.js";
import { fill, gettext, ngettext } from "grokweb/base/i18n.js";
import { find, showError, wireDialog } from "grokweb/ui/dom.js";

export class DeleteDialog {
  /** @param {HTMLDialogElement} dialog @param {Sidebar} sidebar */
  constructor(dialog, sidebar) {
    this.dialog = wireDialog(dialog);
    this.sidebar = sidebar;
    /** @type {string[]} */
    this.ids = [];
    find("form", dialog).addEventListener("submit", (event) => { event.preventDefault(); this.confirmed(); });
  }

  /** @param {string[]} ids */
  ask(ids) {
    this.ids = ids;
    const n = ids.length;
    const one = gettext("Delete this conversation?");
    const several = fill(ngettext("Delete %(n)s conversation?", "Delete %(n)s conversations?", n), { n: number(n) });
    const title = this.sidebar.get(ids[0])?.title || gettext("New chat");
    const links = gettext("“%(title)s” will be deleted, and its shared links stop working for good.");
    find("h2", this.dialog).textContent = n === 1 ? one : several;
    find("[data-explanation]", this.dialog).textContent = n === 1
      ? fill(links, { title })
      : gettext("Their shared links stop working for good.");
    showError(this.dialog);
    this.dialog.showModal();
  }

  async confirmed() {
    const button = find("[type=submit]", this.dialog);
    button.disabled = true;
    this.dialog.close();
    await this.sidebar.actions.delete(this.ids);
    this.sidebar.selection.end();
    button.disabled = false;
  }
}
