import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";

import { sha256 } from "grokweb/base/sha256.js";
import { codePoints } from "grokweb/base/text.js";
import { apply, blank, continuing, merge, place } from "grokweb/state/reducer.js";
import { ids, message } from "./building.mjs";

/** @import { DoneFrame, ReplyFrame, TokenFrame } from "grokweb/wire/frames.js" */

/** @param {string} text */
const hash = (text) => createHash("sha256").update(text, "utf8").digest("hex");
/** @param {number} after @param {number} seq @param {string} text @returns {TokenFrame} */
const token = (after, seq, text) => ({ type: "token", message_id: "m", generation_id: "g", after, seq, text });
/** @param {number} seq @param {string} text @param {Partial<DoneFrame>} [more] @returns {DoneFrame} */
const done = (seq, text, more = {}) => ({
  type: "done", message_id: "m", generation_id: "g", status: "complete", reason: "stop", words: "", seq,
  usage: { prompt_tokens: 0, completion_tokens: seq },
  length: [...text].length, sha256: hash(text), ...more,
});
/** @param {ReplyFrame[]} frames */
const run = (frames, state = blank("m", "g")) => frames.reduce(apply, state);

test("tokens in order make the text, and done ends it", () => {
  const end = run([token(0, 1, "Hel"), token(1, 3, "lo 🙂"), done(3, "Hello 🙂")]);
  assert.deepEqual([end.text, end.seq, end.status, end.resume], ["Hello 🙂", 3, "complete", null]);
});

test("a repeat changes nothing, not even the object", () => {
  const state = run([token(0, 2, "ab")]);
  assert.equal(apply(state, token(0, 1, "a")), state);
  assert.equal(apply(state, token(0, 2, "ab")), state);
});

test("an overlap is not cut in two but asked for again", () => {
  const state = run([token(0, 2, "ab"), token(1, 3, "bc")]);
  assert.deepEqual([state.text, state.resume], ["ab", 2]);
});

test("a gap asks once, from the last token held", () => {
  const gap = run([token(0, 1, "a"), token(4, 5, "e")]);
  assert.equal(gap.resume, 1);
  assert.equal(apply(gap, token(5, 6, "f")), gap);
  const healed = run([token(1, 6, "bcdef"), done(6, "abcdef")], gap);
  assert.deepEqual([healed.text, healed.status, healed.resume], ["abcdef", "complete", null]);
});

test("a done frame before the last tokens asks for them", () => {
  const state = run([token(0, 1, "a"), done(3, "abc")]);
  assert.deepEqual([state.status, state.resume], ["live", 1]);
  assert.equal(run([token(1, 3, "bc"), done(3, "abc")], state).status, "complete");
});

test("a text that is not the server's is fetched again from 0, and given up after two tries", () => {
  let state = run([token(0, 1, "x"), done(1, "a")]);
  assert.deepEqual([state.status, state.seq, state.text, state.resume], ["live", 0, "", 0]);
  const good = run([token(0, 1, "a"), done(1, "a")], state);
  assert.deepEqual([good.text, good.status, good.broken], ["a", "complete", false]);
  state = run([token(0, 1, "x"), done(1, "a"), token(0, 1, "x"), done(1, "a")], state);
  assert.deepEqual([state.status, state.broken], ["complete", true]);
});

test("the length counts code points", () => {
  assert.equal(run([token(0, 1, "🙂"), done(1, "🙂")]).status, "complete");
  assert.equal(run([token(0, 1, "🙂"), done(1, "🙂", { length: 2 })]).status, "live");
  for (const text of ["", "abc", "é", "🙂a🙂", "\ud800", "𝕏\ud83d"]) assert.equal(codePoints(text), [...text].length);
});

test("the place in line is cleared by the first token", () => {
  const waits = run([{ type: "queued", message_id: "m", position: 3, estimate: 20 }]);
  assert.deepEqual(waits.place, { position: 3, estimate: 20 });
  assert.equal(apply(waits, token(0, 1, "a")).place, null);
});

test("frames of other messages, of an older reply and after the end change nothing", () => {
  const state = run([token(0, 1, "a")]);
  assert.equal(apply(state, { ...token(1, 2, "b"), message_id: "other" }), state);
  assert.equal(apply(state, { ...token(1, 2, "b"), generation_id: "other" }), state);
  const end = apply(state, done(1, "a"));
  assert.equal(apply(end, token(1, 2, "b")), end);
});

test("failed and refused keep the server's words", () => {
  const end = run([done(0, "", { status: "failed", reason: "failed", words: "The model died." })]);
  assert.deepEqual([end.status, end.words], ["failed", "The model died."]);
});

test("any order of pieces, with losses and repeats, ends in the text once resumes are answered", () => {
  const pieces = Array.from({ length: 40 }, (_, i) => `w${i} `);
  const whole = pieces.join("");
  let seed = 7;
  const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
  for (let round = 0; round < 200; round++) {
    let state = blank("m", "g");
    const log = [];
    for (let at = 0; at < 40; ) {
      const n = 1 + Math.floor(random() * 4);
      const end = Math.min(40, at + n);
      log.push(token(at, end, pieces.slice(at, end).join("")));
      at = end;
    }
    /** @type {ReplyFrame[]} */
    const wire = log.flatMap((frame) => (random() < 0.2 ? [] : random() < 0.2 ? [frame, frame] : [frame]));
    wire.push(done(40, whole));
    for (let frame = wire.shift(); frame; frame = wire.shift()) {
      const before = state;
      state = apply(state, frame);
      if (state.resume !== null && before.resume === null) {
        const after = state.resume;
        wire.push(token(after, 40, pieces.slice(after).join("")), done(40, whole));
      }
    }
    assert.deepEqual([state.text, state.status], [whole, "complete"]);
  }
});

test("sha256 equals node's", () => {
  for (const n of [0, 1, 3, 54, 55, 56, 63, 64, 65, 119, 120, 1000]) {
    const text = "añ🙂".repeat(n).slice(0, n);
    assert.equal(sha256(text), hash(text));
  }
});

test("messages are added, changed in place, or start another branch", () => {
  const list = [message("q", null, 1), message("a", "q", 2), message("q2", "a", 3), message("a2", "q2", 4)];
  assert.equal(ids(place(list, message("q3", "a2", 5))), "q a q2 a2 q3");
  assert.equal(place(list, message("a", "q", 2, { text: "", hidden: true }))[1].hidden, true);
  assert.equal(ids(place(list, message("again", "q2", 5))), "q a q2 again");
  assert.equal(ids(place(list, message("first", null, 5))), "first");
});

test("messages of a branch that is not open change nothing", () => {
  const list = [message("q", null, 1), message("a", "q", 5)];
  assert.equal(place(list, message("old", "q", 2, { hidden: true })), list);
  assert.equal(place(list, message("far", "unknown", 6)), list);
  assert.equal(ids(place([], message("q", null, 1))), "q");
});

test("a fresh page replaces the end and keeps what was loaded before it", () => {
  const list = [message("1", null, 1), message("2", "1", 2), message("3", "2", 3)];
  assert.equal(ids(merge(list, [message("2", "1", 2), message("4", "2", 4)])), "1 2 4");
  assert.equal(ids(merge(list, [message("9", null, 9)])), "9");
  assert.equal(ids(merge(list, [])), "");
});

test("a thought that a reply continues is one with its first words", () => {
  const begun = [{ kind: /** @type {const} */ ("thought"), text: "a b ", offset: 0, duration_ms: 20 }];
  const more = [
    { kind: /** @type {const} */ ("thought"), text: "c ", offset: 0, duration_ms: 5 },
    { kind: /** @type {const} */ ("text"), text: "four", offset: 0 },
  ];
  const whole = { kind: "thought", text: "a b c ", offset: 0, duration_ms: 25 };
  assert.deepEqual(continuing(begun, more), [whole, more[1]]);
  assert.deepEqual(continuing(begun, []), begun);
  assert.deepEqual(continuing(begun, more.slice(1)), [...begun, more[1]]);
  assert.deepEqual(continuing([], more), more);
});
