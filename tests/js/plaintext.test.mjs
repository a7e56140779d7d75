import assert from "node:assert/strict";
import { test } from "node:test";

import { plainText, spokenText } from "grokweb/plaintext.js";
import { canDictate, canRead, sentences } from "grokweb/speech.js";

test("marks are gone, words, code and cells stay", () => {
  const text = "## Title\n\nA **bold** [link](https://e.example) & `code`, $x^2$.\n\n1. one\n2. two\n   - in\n\n```js\nlet a = 1 < 2;\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |";
  assert.equal(plainText(text), "Title\n\nA bold link & code, x^2.\n\n1. one\n2. two\n  - in\n\nlet a = 1 < 2;\n\na\tb\n1\t2");
});

test("HTML of the model is text here, too", () => {
  assert.equal(plainText("<b>x</b> &amp; <script>y</script>"), "<b>x</b> & <script>y</script>");
});

test("code is named, not read", () => {
  assert.equal(spokenText("See:\n\n```py\nx = 1\n```\n\n- one\n- two"), "See:\nHere is a block of code.\none\ntwo");
});

test("a sentence at a time, none too long for a voice, no word lost", () => {
  assert.deepEqual(sentences("One. Two? Three!", "en"), ["One.", "Two?", "Three!"]);
  const long = "word ".repeat(300).trim();
  const pieces = sentences(long, "en");
  assert.ok(pieces.every((each) => each.length <= 200));
  assert.equal(pieces.join(" "), long);
  assert.equal(sentences("x".repeat(500), "en").join(""), "x".repeat(500));
});

test("where the browser has no voice nothing is offered", () => {
  assert.equal(canRead(), false);
  assert.equal(canDictate(), false);
});
