import assert from "node:assert/strict";
import test from "node:test";

import { stateOf } from "grokweb/parts/settings_bar.js";

/** @param {string} problem */
const shown = (problem) => stateOf(
  /** @type {import("grokweb/wire/objects.js").Model} */ (
    /** @type {unknown} */ ({ running: true, problem, waiting: 0, price: 1, context_tokens: 2048 })
  ),
).split(" · ").at(-1);

test("the menu tells a server that is gone from one that refuses", () => {
  assert.equal(shown("server_unavailable"), "its server does not answer");
  assert.equal(shown("server_key"), "its server refuses requests");
  assert.equal(shown("server_refused"), "its server refuses requests");
  assert.equal(shown(""), "answers now");
});
