import assert from "node:assert/strict";
import { test } from "node:test";

import {
  answered, appended, asked, connectionChanged, created, INITIAL, isHere, isPendingIn, left, opened, patched,
  pendingHere, prepended, received, replaced, revised, shownMessages, stopAsked,
} from "grokweb/state/chat_state.js";
import { createStore } from "grokweb/state/store.js";
import { ids, message } from "./building.mjs";

/** @import { ChatState, Pending } from "grokweb/state/chat_state.js" */

const PAGE = { messages: [message("q", null, 1, { role: "user" }), message("a", "q", 2)], more: true };
const OPEN = opened({ ...INITIAL, connected: true, wasConnected: true }, "c", PAGE);
/** @param {Partial<Pending>} [more] @returns {Pending} */
const question = (more = {}) =>
  ({ type: "send", client_id: "n", conversation: "c", epoch: OPEN.epoch, parent: "a", content: "next", ...more });

test("a transition never changes the state it is given", () => {
  const lists = { messages: Object.freeze([...OPEN.messages]), pending: Object.freeze([]) };
  const frozen = /** @type {ChatState} */ (/** @type {unknown} */ (Object.freeze({ ...OPEN, ...lists })));
  received(frozen, [message("b", "a", 3)]);
  asked(frozen, question());
  patched(frozen, "a", { text: "x" });
  prepended(frozen, { messages: [message("0", null, 0)] });
  appended(frozen, { messages: [message("b", "a", 3)] });
  for (const each of [revised, left]) each(frozen);
  assert.equal(ids(frozen.messages), "q a");
});

test("opening something else raises the epoch, so that answers to older requests can be dropped", () => {
  assert.equal(OPEN.epoch, INITIAL.epoch + 1);
  assert.equal(left(OPEN).epoch, OPEN.epoch + 1);
  assert.equal(left(OPEN).id, "c");
  assert.deepEqual([OPEN.more, OPEN.later], [true, false]);
});

test("messages of a frame are placed, and the revision rises", () => {
  const state = received(OPEN, [message("b", "a", 3), message("c", "b", 4)]);
  assert.equal(ids(state.messages), "q a b c");
  assert.equal(state.revision, OPEN.revision + 1);
});

test("pages come in above and below, and tell whether there is more", () => {
  const above = prepended(OPEN, { messages: [message("0", null, 0)], more: false });
  assert.deepEqual([ids(above.messages), above.more], ["0 q a", false]);
  const below = appended(OPEN, { messages: [message("b", "a", 3)], later: true });
  assert.deepEqual([ids(below.messages), below.later], ["q a b", true]);
  const other = replaced(OPEN, { messages: [message("z", null, 9)] });
  assert.deepEqual([ids(other.messages), other.more], ["z", true]);
});

test("a change of a message that is not shown changes nothing, not even the object", () => {
  assert.equal(patched(OPEN, "unknown", { text: "x" }), OPEN);
  assert.equal(patched(OPEN, "a", { text: "x" }).messages[1].text, "x");
  assert.equal(answered(OPEN, "unknown"), OPEN);
  assert.equal(connectionChanged(OPEN, true), OPEN);
});

test("a question is pending until it is answered, in its own conversation", () => {
  const state = asked(OPEN, question());
  assert.deepEqual(pendingHere(state).map((each) => each.client_id), ["n"]);
  assert.ok(isPendingIn(state, "c"));
  const elsewhere = opened(state, "d", { messages: [] });
  assert.deepEqual(pendingHere(elsewhere), []);
  assert.equal(answered(state, "n").pending.length, 0);
});

test("a question belongs to the new chat in which it was asked", () => {
  const first = opened(INITIAL, null, { messages: [] });
  const pending = question({ conversation: null, epoch: first.epoch });
  assert.ok(isHere(first, pending));
  assert.ok(!isHere(opened(first, null, { messages: [] }), pending));
  assert.ok(!isHere(created(first, "c"), pending));
});

test("a pending question stands after its parent, with the answer it waits for", () => {
  const list = shownMessages(asked(OPEN, question()), null);
  assert.equal(ids(list), "q a n n-reply");
  assert.deepEqual([list[2].pending, list[2].state, list[3].status], [true, "", "live"]);
  assert.equal(ids(shownMessages(asked(OPEN, question({ parent: null })), null)), "n n-reply");
});

test("without a connection a pending question says so and waits without an answer", () => {
  const offline = connectionChanged(asked(OPEN, question()), false);
  const list = shownMessages(offline, null);
  assert.equal(ids(list), "q a n");
  assert.match(list[2].state ?? "", /^Not sent yet/);
  assert.equal(shownMessages({ ...offline, wasConnected: false }, null)[2].state, "");
});

test("another answer takes the place of the first, a continuation begins with its text", () => {
  const again = asked(OPEN, { type: "regenerate", client_id: "r", conversation: "c", epoch: 1, message_id: "a" });
  assert.equal(ids(shownMessages(again, null)), "q r-reply");
  const more = asked(OPEN, { type: "continue", client_id: "r", conversation: "c", epoch: 1, message_id: "a" });
  assert.equal(shownMessages(more, null).at(-1)?.text, "a");
});

test("a message that waits for the end of the reply comes last", () => {
  const list = shownMessages(OPEN, { content: "then this", files: [], takeBack: () => {} });
  assert.equal(ids(list), "q a queued");
  assert.match(list[2].state ?? "", /^Will be sent/);
});

test("each reply that is stopped is remembered", () => {
  assert.deepEqual(stopAsked(stopAsked(OPEN, "a"), "b").stopping, ["a", "b"]);
});

test("a store tells its subscribers of a change once, and of none where nothing changed", () => {
  const store = createStore(OPEN);
  /** @type {[number, number][]} */
  const heard = [];
  const end = store.subscribe((state, before) => heard.push([before.revision, state.revision]));
  store.update(revised);
  store.update(patched, "unknown", {});
  assert.deepEqual(heard, [[0, 1]]);
  store.batch(() => {
    store.update(revised);
    store.batch(() => store.update(revised));
    assert.equal(store.state.revision, 3);
    assert.equal(heard.length, 1);
  });
  assert.deepEqual(heard, [[0, 1], [1, 3]]);
  end();
  store.update(revised);
  assert.equal(heard.length, 2);
});

test("a batch that fails still tells what it changed", () => {
  const store = createStore(OPEN);
  /** @type {number[]} */
  const heard = [];
  store.subscribe((state) => heard.push(state.revision));
  assert.throws(() => store.batch(() => { store.update(revised); throw new Error("x"); }), /^Error: x$/);
  assert.deepEqual(heard, [1]);
});

// --- Two answers side by side ------------------------------------------------------------------------------

const FIRST = message("a1", "q", 3, { column: 1 });
const SECOND = message("a2", "q", 4, { column: 2 });
const PAIR = received(opened(INITIAL, "c", { messages: [PAGE.messages[0]] }), [FIRST, SECOND]);
/** @param {ChatState} state */
const sides = (state) => shownMessages(state, null).map((each) => [each.id, each.side].join(":")).join(" ");

test("an answer in another column stands beside the end of the branch, in the order of the columns", () => {
  assert.equal(sides(PAIR), "q: a1:chosen a2:other");
  const chosen = replaced(PAIR, { messages: [PAGE.messages[0], SECOND], beside: FIRST });
  assert.equal(sides(chosen), "q: a1:other a2:chosen");
  assert.equal(patched(PAIR, "a2", { text: "x" }).beside?.text, "x");
});

test("a newer answer in a column takes the place of the older one and ends the branch", () => {
  assert.equal(sides(received(PAIR, [message("a3", "q", 5, { column: 1 })])), "q: a3:chosen a2:other");
  assert.equal(sides(received(PAIR, [message("a3", "q", 5, { column: 2 })])), "q: a1:other a3:chosen");
});

test("the columns end with the next question, another version and another page", () => {
  assert.equal(ids(received(PAIR, [message("next", "a1", 6, { role: "user" })]).messages), "q a1 next");
  assert.equal(received(PAIR, [message("next", "a1", 6, { role: "user" })]).beside, null);
  assert.equal(received(PAIR, [message("alone", "q", 6)]).beside, null);
  assert.equal(replaced(PAIR, { messages: [] }).beside, null);
  assert.equal(sides({ ...PAIR, connected: true, pending: [question({ epoch: PAIR.epoch, parent: "a1" })] }),
    "q: a1: n: n-reply:");
});

test("an answer asked for again takes the place of its own column alone", () => {
  const pending = { type: "continue", client_id: "r", conversation: "c", epoch: PAIR.epoch, message_id: "a2" };
  const list = shownMessages(asked({ ...PAIR, connected: true }, /** @type {Pending} */ (pending)), null);
  assert.deepEqual(list.map((each) => [each.id, each.text]), [["q", "q"], ["a1", "a1"], ["r-reply", "a2"]]);
});
