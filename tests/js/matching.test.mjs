import assert from "node:assert/strict";
import { test } from "node:test";

import { fitting, isOneTypo, match } from "grokweb/base/matching.js";

test("one typing error is one letter missing, added, wrong, or swapped with the next", () => {
  for (const typed of ["setings", "setttings", "setzings", "stetings", "settigns", "setting", "settings"]) assert.ok(isOneTypo(typed, "settings"), typed);
  assert.ok(!isOneTypo("setin", "settings"));
  assert.ok(!isOneTypo("abcd", "badc"));
});

test("a name is found by a part, by beginnings of words, and in spite of a typing error", () => {
  assert.equal(match("sett", "Settings"), 2);
  assert.equal(match("ETTIN", "Settings"), 2);
  assert.equal(match("", "Settings"), 2);
  for (const typed of ["setings", "settigns", "sttings", "sertings"]) assert.ok(match(typed, "Settings"), typed);
  assert.equal(match("keybaord", "Keyboard shortcuts"), 1);
  assert.equal(match("shortcuts keyb", "Keyboard shortcuts"), 1);
  assert.equal(match("sourdoh", "Why is sourdough bread so good?"), 1); // unfinished, with a slip
  assert.equal(match("reglges", "Réglages"), 1);
  assert.equal(match("брарузер", "Мой браузер"), 1);
});

test("short words and other words are not guessed", () => {
  assert.equal(match("nwe", "New chat"), 0);
  assert.equal(match("dork", "Park"), 0);
  assert.equal(match("settings soup", "Settings"), 0);
  assert.equal(match("???", "Settings"), 0);
});

test("literal matches come before fuzzy ones", () => {
  assert.deepEqual(fitting("dark", ["bark", "lark dark", "darn"], (each) => each), ["lark dark", "bark", "darn"]);
});
