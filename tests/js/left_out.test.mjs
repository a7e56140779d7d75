import assert from "node:assert/strict";
import test from "node:test";

import { turnsLeftOut } from "grokweb/state/left_out.js";

/** @param {string} name @param {number} tokens @param {boolean} [pinned] */
const turn = (name, tokens, pinned) => ({ first: name, last: name, words: name, tokens, pinned });
const turns = [turn("a", 100), turn("b", 300), turn("c", 200)];
/** @param {import("grokweb/wire/objects.js").ContextTurn[]} left */
const names = (left) => left.map((each) => each.words).join("");

test("whole turns are left out, oldest first, until the prompt has room", () => {
  assert.equal(names(turnsLeftOut({ turns, room: 600 }, 600)), "");
  assert.equal(names(turnsLeftOut({ turns, room: 600 }, 601)), "a");
  assert.equal(names(turnsLeftOut({ turns, room: 600 }, 700)), "a");
  assert.equal(names(turnsLeftOut({ turns, room: 600 }, 701)), "ab");
  assert.equal(names(turnsLeftOut({ turns, room: 600 }, 5000)), "abc");
});

test("nothing is left out while the context has room, or where the turns are not known", () => {
  assert.deepEqual(turnsLeftOut({}, 5000), []);
  assert.deepEqual(turnsLeftOut({ turns: [], room: 1 }, 5000), []);
});

test("pinned turns stay", () => {
  const pinned = [turn("a", 100), turn("b", 300, true), turn("c", 200)];
  assert.equal(names(turnsLeftOut({ turns: pinned, room: 600 }, 800)), "ac");
});
