import assert from "node:assert/strict";
import { test } from "node:test";

import { plainText, spokenText } from "grokweb/markdown/plain_text.js";
import { canDictate } from "grokweb/parts/dictation.js";
import { canRead, sentences } from "grokweb/view/read_aloud.js";

test("marks are gone, words, code and cells stay", () => {
  const text = "## Title\n\nA **bold** [link](https://e.example) & `code`, $x^2$.\n\n1. one\n2. two\n   - in\n\n```js\nlet a = 1 < 2;\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |";
  assert.equal(plainText(text), "Title\n\nA bold link & code, x^2.\n\n1. one\n2. two\n  - in\n\nlet a = 1 < 2;\n\na\tb\n1\t2");
});

test("HTML is text in plain text, too", () => {
  assert.equal(plainText("<b>x</b> &amp; <script>y</script>"), "<b>x</b> & <script>y</script>");
});

test("ranges, bold beside Chinese and breaks in cells read as they are shown", () => {
  const text = "5~10 min, **注意：**正文, 20$ or 30$\n\n| a | b |\n|---|---|\n| 1<br>2 | x |";
  assert.equal(plainText(text), "5~10 min, 注意：正文, 20$ or 30$\n\na\tb\n1 2\tx");
  assert.equal(spokenText(text), "5~10 min, 注意：正文, 20$ or 30$\na, b\n1 2, x");
});

test("a block of code is mentioned, not read aloud", () => {
  assert.equal(spokenText("See:\n\n```py\nx = 1\n```\n\n- one\n- two"), "See:\nHere is a block of code.\none\ntwo");
});

test("a text is read by sentences, none too long for a voice, with every word", () => {
  assert.deepEqual(sentences("One. Two? Three!", "en"), ["One.", "Two?", "Three!"]);
  const long = "word ".repeat(300).trim();
  const pieces = sentences(long, "en");
  assert.ok(pieces.every((each) => each.length <= 200));
  assert.equal(pieces.join(" "), long);
  assert.equal(sentences("x".repeat(500), "en").join(""), "x".repeat(500));
});

test("speech is offered only where the browser has it", () => {
  assert.equal(canRead(), false);
  assert.equal(canDictate(), false);
});
