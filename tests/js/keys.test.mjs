import assert from "node:assert/strict";
import { test } from "node:test";

import { isComposing, letter, shortcut } from "grokweb/ui/keys.js";

/** @param {string} key @param {string} code @param {Partial<KeyboardEvent>} [more] */
const press = (key, code, more = {}) => /** @type {KeyboardEvent} */ (
  { key, code, ctrlKey: true, metaKey: false, altKey: false, shiftKey: false, ...more });

test("shortcuts are found where a layout has other letters", () => {
  for (const key of ["k", "K", "л", "ל", "ن", "κ", "ㅏ", "า"]) assert.equal(shortcut(press(key, "KeyK"), false), "palette", key);
  for (const key of ["O", "Щ", "ם", "Ο"]) assert.equal(shortcut(press(key, "KeyO", { shiftKey: true }), false), "new", key);
});

test("on a Latin layout the written letter counts", () => {
  assert.equal(shortcut(press("k", "KeyV"), false), "palette"); // Dvorak
  assert.equal(shortcut(press("t", "KeyK"), false), "");
  assert.equal(shortcut(press("R", "KeyO", { shiftKey: true }), false), "");
  assert.equal(letter({ key: "é", code: "Digit2" }), "");
});

test("the sheet of shortcuts opens where a slash needs Shift or stands elsewhere", () => {
  assert.equal(shortcut(press("/", "Slash"), false), "shortcuts");
  assert.equal(shortcut(press("/", "Period", { shiftKey: true }), false), "shortcuts"); // French
  assert.equal(shortcut(press("/", "Digit7", { shiftKey: true }), false), "shortcuts"); // German
  assert.equal(shortcut(press(".", "Slash"), false), "shortcuts"); // Russian
  assert.equal(shortcut(press("ظ", "Slash"), false), "shortcuts"); // Arabic
  assert.equal(shortcut(press("-", "Slash"), false), ""); // German: the browser's zoom
  assert.equal(shortcut(press("?", "Slash", { ctrlKey: false, shiftKey: true }), true), "shortcuts");
  assert.equal(shortcut(press("؟", "Slash", { ctrlKey: false, shiftKey: true }), true), "shortcuts");
  assert.equal(shortcut(press("?", "Slash", { ctrlKey: false, shiftKey: true }), false), "");
});

test("AltGr and other keys open nothing", () => {
  assert.equal(shortcut(press("k", "KeyK", { altKey: true }), false), "");
  assert.equal(shortcut(press("Process", "KeyK"), false), "");
  assert.equal(shortcut(press("k", "KeyK", { ctrlKey: false }), true), "");
  assert.equal(shortcut(press("K", "KeyK", { shiftKey: true }), false), "");
});

test("a key of an input method is recognised in both event orders", () => {
  assert.ok(isComposing({ isComposing: true, keyCode: 13 }));
  assert.ok(isComposing({ isComposing: false, keyCode: 229 })); // Safari, after the composition has ended
  assert.ok(!isComposing({ isComposing: false, keyCode: 13 }));
});
