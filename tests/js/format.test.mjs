import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { ordinal, period, seconds } from "grokweb/base/format.js";
import { fill } from "grokweb/base/i18n.js";
import { Announcer } from "grokweb/ui/announcer.js";
import { outcome, waiting } from "grokweb/view/message_status.js";

const page = /** @type {any} */ (globalThis);
/** Gives the page a catalogue. @param {Record<string, string>} words */
const speak = (words) => { page.gettext = (/** @type {string} */ text) => words[text] ?? text; };
afterEach(() => { delete page.gettext; });

test("ordinal numbers are English without a catalogue, whatever the language of the page", () => {
  const numbers = [1, 2, 3, 4, 11, 12, 13, 21, 22, 103];
  const english = ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "103rd"];
  for (const lang of ["en", "de"]) assert.deepEqual(numbers.map((n) => ordinal(n, lang)), english);
});

test("a catalogue alone gives a language its ordinal numbers", () => {
  speak({ "%(n)sst": "%(n)s.", "%(n)snd": "%(n)s.", "%(n)srd": "%(n)s.", "%(n)sth": "%(n)s." });
  assert.deepEqual([1, 2, 3, 11].map((n) => ordinal(n, "de")), ["1.", "2.", "3.", "11."]);
  speak({ "%(n)sst": "%(n)sre", "%(n)snd": "%(n)se", "%(n)srd": "%(n)se", "%(n)sth": "%(n)se" });
  assert.deepEqual([1, 2, 3, 11].map((n) => ordinal(n, "fr")), ["1re", "2e", "3e", "11e"]);
  speak({ "%(n)sst": "%(n)s:a", "%(n)snd": "%(n)s:e", "%(n)srd": "%(n)s:e", "%(n)sth": "%(n)s:e" });
  assert.deepEqual([1, 2, 3, 11].map((n) => ordinal(n, "sv")), ["1:a", "2:a", "3:e", "11:e"]);
  speak({ "%(n)sth": "%(n)sº" });
  assert.equal(ordinal(8, "it"), "8º"); // category "many"
});

test("the line of a person who waits says the place and the time", () => {
  assert.equal(waiting({ position: 3, estimate: 20 }), "You are 3rd in line, about 20 s");
  assert.equal(waiting({ position: 1, estimate: null }), "You are next");
  assert.equal(waiting({ position: 0, estimate: null }), "The model is not running; your message waits.");
  assert.equal(waiting(null), "");
});

test("seconds become minutes", () => {
  assert.deepEqual([0, 0.4, 59.2, 60, 89, 600].map(seconds), ["about 1 s", "about 1 s", "about 59 s", "about 1 min", "about 1 min", "about 10 min"]);
});

test("a placeholder is filled with what is given, whatever it contains", () => {
  assert.equal(fill("“%(title)s” and %(n)d", { title: "%(n)d $& <b>", n: 2 }), "“%(n)d $& <b>” and 2");
});

test("every incomplete end of a reply has a sentence, a whole reply has none", () => {
  assert.equal(outcome({ status: "complete", text: "x" }), "");
  assert.match(outcome({ status: "complete", text: "" }), /nothing to say/);
  assert.match(outcome({ status: "stopped", text: "x" }), /stopped/);
  assert.equal(outcome({ status: "failed", text: "" }, "Out of memory."), "Out of memory.");
  assert.match(outcome({ status: "failed", text: "" }), /could not be finished/);
  assert.match(outcome({ status: "refused", text: "" }), /rule/);
  assert.match(outcome({ status: "complete", text: "", hidden: true }), /moderator/);
  assert.match(outcome({ status: "complete", text: "x", reason: "length" }), /longest/);
});

test("the sidebar groups conversations by day, week and month", () => {
  const now = new Date(2026, 4, 15, 9, 0);
  const at = (/** @type {number[]} */ ...when) => {
    const [year, month, ...rest] = when;
    return period(new Date(year, month, ...rest).toISOString(), now);
  };
  assert.equal(at(2026, 4, 15, 0, 1), "Today");
  assert.equal(at(2026, 4, 14, 23, 59), "Yesterday");
  assert.equal(at(2026, 4, 10), "Last 7 days");
  assert.equal(at(2026, 3, 20), "Last 30 days");
  assert.equal(at(2026, 1, 3), "February 2026");
});

test("a reply is announced by the sentence, each word once", () => {
  /** @type {string[]} */
  const said = [];
  const announcer = new Announcer(/** @type {any} */ (null)); // say() alone needs the region
  announcer.say = (words) => said.push(words);
  const text = "One **two**. Three four! And\n- five\nrest";
  for (let i = 0; i <= text.length; i++) announcer.follow("m", text.slice(0, i));
  announcer.follow("m", text, true);
  assert.deepEqual(said, ["One two.", "Three four!", "And", "- five", "rest"]);
});
