import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { isBlank } from "grokweb/base/text.js";
import { originOf } from "grokweb/view/message_status.js";

// The cases that the server is asked, too (tests/chat/core/test_text.py).
const { blank, seen } = JSON.parse(readFileSync(new URL("../data/blank_texts.json", import.meta.url), "utf8"));

test("invisible texts are blank", () => {
  for (const text of blank) assert.equal(isBlank(text), true, escape(text));
});

test("visible texts are not blank", () => {
  for (const text of seen) assert.equal(isBlank(text), false, escape(text));
});

test("an answer says where it comes from", () => {
  assert.equal(originOf({}), "");
  assert.equal(originOf({ origin: { source: "ChatGPT", model: "", continued: false } }), "Imported from ChatGPT");
  assert.equal(originOf({ origin: { source: "file", model: "", continued: true } }), "Begins with words imported from a file");
  assert.equal(originOf({ origin: { source: "ChatGPT", model: "gpt-4o", continued: false } }), "Imported from ChatGPT, which names the model gpt-4o");
});
