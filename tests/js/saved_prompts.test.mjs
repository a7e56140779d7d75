import assert from "node:assert/strict";
import { test } from "node:test";

import { fillVariables, variablesOf } from "grokweb/parts/saved_prompts.js";

test("words in double braces are variables, each asked for once", () => {
  assert.deepEqual(variablesOf("Translate {{text}} into {{ language }}, {{text}}."), ["text", "language"]);
  assert.deepEqual(variablesOf("{single} {{}} {{a\nb}} {{{{"), []);
});

test("variables are replaced by the answers as they are", () => {
  assert.equal(fillVariables("{{a}} and {{ b }} and {{a}}", { a: "$1 {{b}}", b: "2" }), "$1 {{b}} and 2 and $1 {{b}}");
  assert.equal(fillVariables("no words", {}), "no words");
});
