/**
 * Actions on conversations of the sidebar, one or many, some of which can be undone.
 *
 * @import { Notices } from "grokweb/ui/notices.js"
 * @import { Conversation } from "grokweb/wire/objects.js"
 *
 * @typedef {object} ConversationList  the sidebar
 * @property {(id: string) => Conversation | undefined} get
 * @property {(conversation: Conversation) => void} put
 * @property {(id: string) => void} remove
 */

import { number } from "grokweb/base/format.js";
import { fill, gettext, ngettext } from "grokweb/base/i18n.js";
import { wordsOf } from "grokweb/ui/dom.js";
import { call } from "grokweb/wire/api.js";

const BATCH = 100; // as BULK in chat/conversations/sidebar.py
const UNDO_SECONDS = 10; // the server would allow 45

export class SidebarActions {
  /**
   * @param {ConversationList} list
   * @param {object} handlers
   * @param {Notices} handlers.notices
   * @param {(id: string) => void} handlers.deleted
   * @param {(id: string) => void} handlers.go  opens a conversation
   */
  constructor(list, { notices, deleted, go }) {
    this.list = list;
    this.notices = notices;
    this.deleted = deleted;
    this.go = go;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
  }

  /**
   * Changes a conversation: shown at once, and put back if the server refuses.
   * @param {string} id @param {Partial<Conversation>} changes
   */
  async change(id, changes) {
    const before = this.list.get(id);
    if (!before) return;
    this.list.put({ ...before, ...changes });
    try {
      const { conversation } = await call("PATCH", `/api/conversations/${id}/`, changes);
      if (this.list.get(id)) this.list.put(conversation);
    } catch (error) {
      if (this.list.get(id)) this.list.put(before);
      this.showError(error);
    }
  }

  /**
   * Runs one action over any number. Returns what was done, even if a later batch fails.
   * @param {string[]} ids @param {string} action @param {object} [options]
   * @returns {Promise<Conversation[]>}
   */
  async bulk(ids, action, options = {}) {
    /** @type {Conversation[]} */
    const done = [];
    try {
      for (let at = 0; at < ids.length; at += BATCH) {
        const data = { ids: ids.slice(at, at + BATCH), action, ...options };
        done.push(...(await call("POST", "/api/conversations/bulk/", data)).conversations);
      }
    } catch (error) {
      this.showError(error);
    }
    return done;
  }

  /** @param {string[]} ids @param {string} action @param {object} [options] */
  async move(ids, action, options) {
    for (const conversation of await this.bulk(ids, action, options)) this.list.put(conversation);
  }

  /** @param {string[]} ids */
  async delete(ids) {
    const gone = (await this.bulk(ids, "delete")).map((each) => each.id);
    for (const id of gone) {
      this.list.remove(id);
      this.deleted(id);
    }
    const n = gone.length;
    const words = fill(ngettext("%(n)s conversation deleted.", "%(n)s conversations deleted.", n), { n: number(n) });
    if (n) this.offerUndo(words, () => this.restore(gone));
  }

  /**
   * Archives conversations. Undone, those that were pinned are pinned again.
   * @param {string[]} ids
   */
  async archive(ids) {
    const pinned = ids.filter((id) => this.list.get(id)?.pinned);
    const done = await this.bulk(ids, "archive");
    for (const conversation of done) this.list.put(conversation);
    const n = done.length;
    if (!n) return;
    const words = ngettext("%(n)s conversation archived.", "%(n)s conversations archived.", n);
    this.offerUndo(fill(words, { n: number(n) }), async () => {
      await this.move(done.map((each) => each.id), "unarchive");
      if (pinned.length) await this.move(pinned, "pin");
    });
  }

  /** @param {string} words @param {() => void} undo */
  offerUndo(words, undo) {
    const run = () => {
      clearTimeout(this.timer);
      this.notices.clear("undo");
      undo();
    };
    this.notices.show("undo", words, { action: { words: gettext("Undo"), run } });
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.notices.clear("undo"), UNDO_SECONDS * 1000);
  }

  /** @param {string[]} ids */
  async restore(ids) {
    const back = await this.bulk(ids, "restore");
    for (const conversation of back) this.list.put(conversation);
    if (back[0]?.temporary) this.go(back[0].id); // in no list: there is no other way to it
    if (!back.length) this.notices.show("sidebar", gettext("It is too late to undo this."), { kind: "bad" });
  }

  /** @param {unknown} error */
  showError(error) {
    this.notices.show("sidebar", wordsOf(error), { kind: "bad" });
  }
}
