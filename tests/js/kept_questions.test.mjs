import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { PendingStorage, QueuedMessages } from "grokweb/state/kept_questions.js";

/** sessionStorage as far as it is used; Object.keys() gives its keys, as in browsers. */
class Storage {
  getItem(key) { return Object.hasOwn(this, key) ? this[key] : null; }
  setItem(key, text) { this[key] = String(text); }
  removeItem(key) { delete this[key]; }
}

beforeEach(() => { globalThis.sessionStorage = new Storage(); });

test("pending questions survive a reload, of one person alone", () => {
  const pending = [{ type: "send", client_id: "a", conversation: null, epoch: 1, content: "hi" }];
  new PendingStorage("alice").save(pending);
  assert.deepEqual(new PendingStorage("alice").load(), pending);
  assert.deepEqual(new PendingStorage("bob").load(), []);
  new PendingStorage("alice").save([]);
  assert.deepEqual(Object.keys(globalThis.sessionStorage), []);
});

test("what is half written counts as nothing", () => {
  const storage = new PendingStorage("alice");
  storage.storage.set("asked", "[{");
  assert.deepEqual(storage.load(), []);
});

test("several queued messages of a conversation become one, with the files of all", () => {
  const queued = new QueuedMessages("alice");
  queued.add("c", " one ", [{ id: "f" }]);
  queued.add("c", "two", [{ id: "g" }]);
  assert.equal(queued.get("d"), null);
  const message = { content: "one\n\ntwo", files: [{ id: "f" }, { id: "g" }] };
  assert.deepEqual(queued.get("c"), message);
  assert.deepEqual(queued.take("c"), message);
  assert.equal(queued.take("c"), null);
});

test("logging out removes all of one person", () => {
  new QueuedMessages("alice").add("c", "x", []);
  new QueuedMessages("bob").add("c", "y", []);
  new QueuedMessages("alice").clear();
  assert.equal(new QueuedMessages("alice").get("c"), null);
  assert.equal(new QueuedMessages("bob").get("c").content, "y");
});
