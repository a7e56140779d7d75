import assert from "node:assert/strict";
import { test } from "node:test";

import { isComposing, letter, shortcut } from "grokweb/ui/keys.js";

const press = (key, code, more = {}) =>
  ({ key, code, ctrlKey: true, metaKey: false, altKey: false, shiftKey: false, ...more });

test("shortcuts are found where a layout has other letters", () => {
  for (const key of ["k", "K", "л", "ל", "ن", "κ", "ㅏ", "า"]) assert.equal(shortcut(press(key, "KeyK")), "palette", key);
  for (const key of ["O", "Щ", "ם", "Ο"]) assert.equal(shortcut(press(key, "KeyO", { shiftKey: true })), "new", key);
});

test("a Latin layout means what its key writes", () => {
  assert.equal(shortcut(press("k", "KeyV")), "palette"); // Dvorak
  assert.equal(shortcut(press("t", "KeyK")), "");
  assert.equal(shortcut(press("R", "KeyO", { shiftKey: true })), "");
  assert.equal(letter({ key: "é", code: "Digit2" }), "");
});

test("the sheet of shortcuts opens where a slash needs Shift or stands elsewhere", () => {
  assert.equal(shortcut(press("/", "Slash")), "shortcuts");
  assert.equal(shortcut(press("/", "Period", { shiftKey: true })), "shortcuts"); // French
  assert.equal(shortcut(press("/", "Digit7", { shiftKey: true })), "shortcuts"); // German
  assert.equal(shortcut(press(".", "Slash")), "shortcuts"); // Russian
  assert.equal(shortcut(press("ظ", "Slash")), "shortcuts"); // Arabic
  assert.equal(shortcut(press("-", "Slash")), ""); // German: the browser's zoom
  assert.equal(shortcut(press("?", "Slash", { ctrlKey: false, shiftKey: true }), true), "shortcuts");
  assert.equal(shortcut(press("؟", "Slash", { ctrlKey: false, shiftKey: true }), true), "shortcuts");
  assert.equal(shortcut(press("?", "Slash", { ctrlKey: false, shiftKey: true }), false), "");
});

test("AltGr writes, and other keys are nobody's", () => {
  assert.equal(shortcut(press("k", "KeyK", { altKey: true })), "");
  assert.equal(shortcut(press("Process", "KeyK")), "");
  assert.equal(shortcut(press("k", "KeyK", { ctrlKey: false }), true), "");
  assert.equal(shortcut(press("K", "KeyK", { shiftKey: true })), "");
});

test("a key of an input method is known in both orders", () => {
  assert.ok(isComposing({ isComposing: true, keyCode: 13 }));
  assert.ok(isComposing({ isComposing: false, keyCode: 229 })); // Safari, after the composition has ended
  assert.ok(!isComposing({ isComposing: false, keyCode: 13 }));
});
