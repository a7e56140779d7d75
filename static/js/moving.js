/** What is done to conversations of the sidebar, one or many, and how a deletion is undone. */

import { call } from "grokweb/api.js";
import { fill, gettext, ngettext, number } from "grokweb/words.js";

const AT_ONCE = 100; // as BULK in chat/conversations/sidebar.py
const UNDO_SECONDS = 10; // the server would allow 45

export class Mover {
  /** `list` is the sidebar: get(id), put(conversation), remove(id); `deleted(id)` tells the page, `go(id)` opens one. */
  constructor(list, { notices, deleted, go }) {
    Object.assign(this, { list, notices, deleted, go, timer: 0 });
  }

  /** Shown at once; put back if the server says no. */
  async change(id, changes) {
    const before = this.list.get(id);
    this.list.put({ ...before, ...changes });
    try {
      const { conversation } = await call("PATCH", `/api/conversations/${id}/`, changes);
      if (this.list.get(id)) this.list.put(conversation);
    } catch (error) {
      if (this.list.get(id)) this.list.put(before);
      this.failed(error);
    }
  }

  /** Runs one action over any number; what was done is shown even if a later batch fails. */
  async bulk(ids, action, more = {}) {
    const done = [];
    try {
      for (let at = 0; at < ids.length; at += AT_ONCE) {
        const answer = await call("POST", "/api/conversations/bulk/", { ids: ids.slice(at, at + AT_ONCE), action, ...more });
        done.push(...answer.conversations);
      }
    } catch (error) {
      this.failed(error);
    }
    return done;
  }

  async move(ids, action, more) {
    for (const conversation of await this.bulk(ids, action, more)) this.list.put(conversation);
  }

  async delete(ids) {
    const gone = (await this.bulk(ids, "delete")).map((each) => each.id);
    for (const id of gone) {
      this.list.remove(id);
      this.deleted(id);
    }
    if (gone.length) this.offerUndo(gone);
  }

  offerUndo(ids) {
    const words = ngettext("%(n)s conversation deleted.", "%(n)s conversations deleted.", ids.length);
    this.notices.show("undo", fill(words, { n: number(ids.length) }), { action: { words: gettext("Undo"), run: () => this.undo(ids) } });
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.notices.clear("undo"), UNDO_SECONDS * 1000);
  }

  async undo(ids) {
    clearTimeout(this.timer);
    this.notices.clear("undo");
    const back = await this.bulk(ids, "restore");
    for (const conversation of back) this.list.put(conversation);
    if (back[0]?.temporary) this.go(back[0].id); // in no list: there is no other way to it
    if (!back.length) this.notices.show("sidebar", gettext("It is too late to undo this."), { kind: "bad" });
  }

  failed(error) {
    this.notices.show("sidebar", error.message, { kind: "bad" });
  }
}
