import assert from "node:assert/strict";
import { test } from "node:test";

import { filled, variablesOf } from "../../static/js/prompts.js";

test("words in double braces are variables, each asked for once", () => {
  assert.deepEqual(variablesOf("Translate {{text}} into {{ language }}, {{text}}."), ["text", "language"]);
  assert.deepEqual(variablesOf("{single} {{}} {{a\nb}} {{{{"), []);
});

test("what was answered stands in their place, as it is", () => {
  assert.equal(filled("{{a}} and {{ b }} and {{a}}", { a: "$1 {{b}}", b: "2" }), "$1 {{b}} and 2 and $1 {{b}}");
  assert.equal(filled("no words", {}), "no words");
});
