/**
 * Folders of the sidebar: created, renamed and deleted; one dialog asks for a name.
 *
 * @import { Notices } from "grokweb/ui/notices.js"
 * @import { Folder } from "grokweb/wire/objects.js"
 */

import { gettext } from "grokweb/base/i18n.js";
import { el, find, showError, wireDialog, wordsOf } from "grokweb/ui/dom.js";
import { call } from "grokweb/wire/api.js";

export class Folders {
  /**
   * @param {Folder[]} folders
   * @param {object} handlers
   * @param {Notices} handlers.notices
   * @param {() => void} handlers.changed  draws again
   * @param {() => void} handlers.lost  fetches the conversations of a folder that is gone
   */
  constructor(folders, { notices, changed, lost }) {
    this.list = folders;
    this.notices = notices;
    this.changed = changed;
    this.lost = lost;
    /** @type {HTMLDialogElement | null} */
    this.dialog = null;
    /** @type {(name: string) => Promise<void>} what the dialog does */
    this.save = async () => {};
  }

  get ids() {
    return new Set(this.list.map((each) => each.id));
  }

  /** @param {Folder[]} folders */
  set(folders) {
    const before = this.ids;
    this.list = folders;
    this.changed();
    if ([...before].some((id) => !this.ids.has(id))) this.lost();
  }

  /** @param {Folder} folder */
  put(folder) {
    const others = this.list.filter((each) => each.id !== folder.id);
    this.set([...others, folder].sort((a, b) => a.name.localeCompare(b.name)));
  }

  /**
   * Asks for a name and creates a folder.
   * @param {(folder: Folder) => void} [created]
   */
  create(created = () => {}) {
    this.ask(gettext("New folder"), "", gettext("Create"), async (name) => {
      const { folder } = await call("POST", "/api/folders/", { name });
      this.put(folder);
      created(folder);
    });
  }

  /** @param {Folder} folder */
  rename({ id, name: before }) {
    this.ask(gettext("Rename the folder"), before, gettext("Rename"), async (name) => {
      this.put((await call("PATCH", `/api/folders/${id}/`, { name })).folder);
    });
  }

  /** @param {Folder} folder */
  async delete({ id }) {
    try {
      await call("DELETE", `/api/folders/${id}/`);
      this.set(this.list.filter((each) => each.id !== id));
      this.notices.show("sidebar", gettext("The folder is gone. Its conversations are in the list."));
    } catch (error) {
      this.notices.show("sidebar", wordsOf(error), { kind: "bad" });
    }
  }

  /**
   * @param {string} title
   * @param {string} name
   * @param {string} words  of the button
   * @param {Folders["save"]} save
   */
  ask(title, name, words, save) {
    const dialog = this.dialog ??= this.build();
    this.save = save;
    find("h2", dialog).textContent = title;
    find("[type=submit]", dialog).textContent = words;
    const input = find("input", dialog);
    input.value = name;
    showError(dialog);
    dialog.showModal();
    input.select();
  }

  build() {
    const cancel = el("button", { class: "button plain", type: "button", "data-close": true }, gettext("Cancel"));
    const input = el("input", {
      id: "folder-name", type: "text", maxlength: "60", required: true, dir: "auto", autocomplete: "off",
    });
    const form = el("form", {},
      el("h2", { id: "folder-title" }),
      el("div", { class: "field" }, el("label", { for: "folder-name" }, gettext("Name")), input),
      el("p", { class: "form-error", role: "alert", hidden: true }),
      el("div", { class: "actions" }, cancel, el("button", { class: "button primary", type: "submit" })));
    const dialog = wireDialog(el("dialog", { "aria-labelledby": "folder-title" }, form));
    form.addEventListener("submit", (event) => { event.preventDefault(); this.submitted(dialog); });
    document.body.append(dialog);
    return dialog;
  }

  /** @param {HTMLDialogElement} dialog */
  async submitted(dialog) {
    const button = find("[type=submit]", dialog);
    button.disabled = true;
    try {
      await this.save(find("input", dialog).value.trim());
      dialog.close();
    } catch (error) {
      showError(dialog, wordsOf(error));
    } finally {
      button.disabled = false;
    }
  }
}
