import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { PendingStorage, QueuedMessages } from "grokweb/state/unsent_messages.js";

/**
 * @import { Pending } from "grokweb/state/chat_state.js"
 * @import { AttachedFile } from "grokweb/wire/objects.js"
 */

/** Has the methods of sessionStorage that the modules call; Object.keys() gives its keys, as in browsers. */
class FakeStorage {
  /** @param {string} key */
  getItem(key) { return /** @type {any} */ (this)[key] ?? null; }
  /** @param {string} key @param {string} text */
  setItem(key, text) { Object.assign(this, { [key]: text }); }
  /** @param {string} key */
  removeItem(key) { delete (/** @type {any} */ (this)[key]); }
}

beforeEach(() => { Object.defineProperty(globalThis, "sessionStorage", { value: new FakeStorage(), configurable: true }); });

/** @param {string} id @returns {AttachedFile} */
const file = (id) => ({ id, name: `${id}.txt`, size: 1, state: "ready", characters: 1, tokens: 1 });

test("pending questions survive a reload, of one person alone", () => {
  /** @type {Pending[]} */
  const pending = [{ type: "send", client_id: "a", conversation: null, epoch: 1, content: "hi" }];
  new PendingStorage("alice").save(pending);
  assert.deepEqual(new PendingStorage("alice").load(), pending);
  assert.deepEqual(new PendingStorage("bob").load(), []);
  new PendingStorage("alice").save([]);
  assert.deepEqual(Object.keys(globalThis.sessionStorage), []);
});

test("an incomplete list counts as none", () => {
  const storage = new PendingStorage("alice");
  storage.storage.set("asked", "[{");
  assert.deepEqual(storage.load(), []);
});

test("several queued messages of a conversation become one, with the files of all", () => {
  const queued = new QueuedMessages("alice");
  queued.add("c", " one ", [file("f")]);
  queued.add("c", "two", [file("g")]);
  assert.equal(queued.get("d"), null);
  const message = { content: "one\n\ntwo", files: [file("f"), file("g")] };
  assert.deepEqual(queued.get("c"), message);
  assert.deepEqual(queued.take("c"), message);
  assert.equal(queued.take("c"), null);
});

test("messages that an older page queued are still there", () => {
  sessionStorage.setItem("grokweb.alice.lined.c", "one");
  sessionStorage.setItem("grokweb.alice.carried.c", JSON.stringify([file("f")]));
  assert.deepEqual(new QueuedMessages("alice").get("c"), { content: "one", files: [file("f")] });
  new QueuedMessages("alice").clear();
  assert.deepEqual(Object.keys(sessionStorage), []);
});

test("logging out removes all of one person", () => {
  new QueuedMessages("alice").add("c", "x", []);
  new QueuedMessages("bob").add("c", "y", []);
  new QueuedMessages("alice").clear();
  assert.equal(new QueuedMessages("alice").get("c"), null);
  assert.equal(new QueuedMessages("bob").get("c")?.content, "y");
});
