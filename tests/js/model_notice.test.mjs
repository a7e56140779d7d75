// The notice about the model of the open chat: when it comes, goes, and whose model it means.
import assert from "node:assert/strict";
import { test } from "node:test";

import { ModelStates } from "grokweb/chat/model_state.js";

const AWAY = "The model is not running at the moment. Messages wait until it is back.";
const SILENT = "The model's server does not answer at the moment. Messages wait until it is back.";
const RUNNING = { slug: "usual", running: true, problem: "" };

/** Stands for a page: holds what its notice says, and what the server will answer. */
function page() {
  const seen = { notice: "", shows: 0, answers: /** @type {any[]} */ ([]), asked: 0 };
  const notices = {
    /** @param {string} _key @param {string} words */
    show: (_key, words) => { seen.notice = words; seen.shows += 1; },
    clear: () => { seen.notice = ""; },
  };
  const states = new ModelStates(/** @type {any} */ (notices), () => {
    seen.asked += 1;
    return Promise.resolve(seen.answers);
  });
  return { seen, states };
}

/** Waits for an answer of the server that is due at once. */
const answered = () => new Promise((resolve) => { setTimeout(resolve, 20); });

test("a chat's own model is asked for when the first frame does not tell of it", async () => {
  const { seen, states } = page();
  states.show("other");
  states.greet(RUNNING);
  assert.equal(seen.notice, "");
  seen.answers = [RUNNING, { slug: "other", running: true, problem: "server_unavailable" }];
  await answered();
  assert.equal(seen.notice, SILENT);
  states.show("usual");
  assert.equal(seen.notice, "");
  states.show("other");
  assert.equal(seen.notice, SILENT);
  assert.equal(seen.asked, 1);
});

test("a change shows while the page is open, and a notice that was closed stays closed", async () => {
  const { seen, states } = page();
  states.greet(RUNNING);
  seen.answers = [{ ...RUNNING, running: false }];
  states.refresh(0);
  await answered();
  assert.equal(seen.notice, AWAY);
  seen.notice = ""; // closed by the reader
  states.show("usual");
  states.refresh(0);
  await answered();
  assert.deepEqual([seen.notice, seen.shows], ["", 1]);
  seen.answers = [{ ...RUNNING, problem: "server_unavailable" }];
  states.refresh(0);
  await answered();
  assert.equal(seen.notice, SILENT);
});

test("an answer ends the notice, and drawing the page again does not bring it back", () => {
  const { seen, states } = page();
  states.greet({ ...RUNNING, running: false });
  assert.equal(seen.notice, AWAY);
  states.answered();
  states.show("usual");
  assert.equal(seen.notice, "");
});

test("nothing is said of a model that is in no menu, or whose state is unknown", async () => {
  const { seen, states } = page();
  states.show("hidden");
  states.greet(RUNNING);
  seen.answers = [{ ...RUNNING, running: null }];
  await answered();
  states.show("hidden");
  states.show("usual");
  assert.deepEqual([seen.notice, seen.asked], ["", 1]);
});

test("that there is no model is said until one is told of", () => {
  for (const isToldByFrame of [true, false]) {
    const { seen, states } = page();
    states.sayNone();
    assert.equal(seen.notice, "No model is set up on this server yet.");
    if (isToldByFrame) states.greet(RUNNING);
    else states.answered();
    assert.equal(seen.notice, "");
  }
});
