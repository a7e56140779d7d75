import assert from "node:assert/strict";
import { test } from "node:test";

import { parts, spans } from "grokweb/markdown/user_text.js";

test("fences are code, with or without an end; all else is words as typed", () => {
  assert.deepEqual(parts("# a *b*\n\n```Py x\nx = 1\n\n# y\n```\n~~~\n`z`"), [
    { words: "# a *b*" }, { code: "x = 1\n\n# y", lang: "py" }, { code: "`z`", lang: "" },
  ]);
  assert.deepEqual(parts("  a\r\nb ``` c"), [{ words: "  a\nb ``` c" }]);
  assert.deepEqual(parts("````\n```\n````\nafter"), [{ code: "```", lang: "" }, { words: "after" }]);
});

test("code is between as many backticks as began it, on one line", () => {
  assert.deepEqual(spans("run `a *b*` and ``c`d``, not `e\nf`"), ["run ", { code: "a *b*" }, " and ", { code: "c`d" }, ", not `e\nf`"]);
  assert.deepEqual(spans("**a** $x$ `` ` `` <b>"), ["**a** $x$ ", { code: "`" }, " <b>"]);
  assert.deepEqual(spans("no ` end"), ["no ` end"]);
});

test("many runs of backticks of every length are read", () => {
  const words = Array.from({ length: 2000 }, (_, i) => "`".repeat(i % 50 + 1)).join("a");
  assert.ok(spans(words).length > 1);
});
