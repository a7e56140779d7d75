/** Folders of the sidebar: made, renamed and deleted; one dialog asks for a name. */

import { call } from "grokweb/api.js";
import { el, find, showError, wireDialog } from "grokweb/dom.js";
import { gettext } from "grokweb/words.js";

export class Folders {
  /** `changed()` draws again; `lost()` fetches what a folder that is gone had inside. */
  constructor(folders, { notices, changed, lost }) {
    Object.assign(this, { list: folders, notices, changed, lost, dialog: null });
  }

  get ids() {
    return new Set(this.list.map((each) => each.id));
  }

  set(folders) {
    const before = this.ids;
    this.list = folders;
    this.changed();
    if ([...before].some((id) => !this.ids.has(id))) this.lost();
  }

  put(folder) {
    const others = this.list.filter((each) => each.id !== folder.id);
    this.set([...others, folder].sort((a, b) => a.name.localeCompare(b.name)));
  }

  /** Asks for a name; `then(folder)` gets what was made. */
  make(then = () => {}) {
    this.ask(gettext("New folder"), "", gettext("Create"), async (name) => {
      const { folder } = await call("POST", "/api/folders/", { name });
      this.put(folder);
      then(folder);
    });
  }

  rename(folder) {
    this.ask(gettext("Rename the folder"), folder.name, gettext("Rename"), async (name) => {
      this.put((await call("PATCH", `/api/folders/${folder.id}/`, { name })).folder);
    });
  }

  async delete(folder) {
    try {
      await call("DELETE", `/api/folders/${folder.id}/`);
      this.set(this.list.filter((each) => each.id !== folder.id));
      this.notices.show("sidebar", gettext("The folder is gone. Its conversations are in the list."));
    } catch (error) {
      this.notices.show("sidebar", error.message, { kind: "bad" });
    }
  }

  ask(title, name, words, save) {
    this.dialog ??= this.build();
    this.save = save;
    find("h2", this.dialog).textContent = title;
    find("[type=submit]", this.dialog).textContent = words;
    const input = find("input", this.dialog);
    input.value = name;
    showError(this.dialog);
    this.dialog.showModal();
    input.select();
  }

  build() {
    const cancel = el("button", { class: "button plain", type: "button", "data-close": true }, gettext("Cancel"));
    const form = el("form", {},
      el("h2", { id: "folder-title" }),
      el("div", { class: "field" },
        el("label", { for: "folder-name" }, gettext("Name")),
        el("input", { id: "folder-name", type: "text", maxlength: "60", required: true, dir: "auto", autocomplete: "off" })),
      el("p", { class: "form-error", role: "alert", hidden: true }),
      el("div", { class: "actions" }, cancel, el("button", { class: "button primary", type: "submit" })));
    form.addEventListener("submit", (event) => { event.preventDefault(); this.submitted(form); });
    const dialog = wireDialog(el("dialog", { "aria-labelledby": "folder-title" }, form));
    document.body.append(dialog);
    return dialog;
  }

  async submitted(form) {
    const button = find("[type=submit]", form);
    button.disabled = true;
    try {
      await this.save(find("input", form).value.trim());
      this.dialog.close();
    } catch (error) {
      showError(this.dialog, error.message);
    } finally {
      button.disabled = false;
    }
  }
}
