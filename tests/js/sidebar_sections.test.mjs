import assert from "node:assert/strict";
import test from "node:test";

import { wanted } from "grokweb/parts/shortcuts.js";
import { bySection, pageUrl, sectionOf, refreshed } from "grokweb/state/sidebar_sections.js";

/** @import { Conversation } from "grokweb/wire/objects.js" */

const folders = new Set(["f1"]);
/**
 * Makes a conversation that was last used on a day of January.
 * @param {string} id @param {number} day @param {Partial<Conversation>} [more]
 * @returns {Conversation}
 */
const at = (id, day, more = {}) => {
  const date = `2026-01-${String(day).padStart(2, "0")}`;
  const place = { pinned: false, archived: false, temporary: false, folder: null };
  return { id, title: id, model: "m", created_at: date, updated_at: date, url: `/c/${id}/`, ...place, ...more };
};

test("a conversation is in exactly one section", () => {
  assert.equal(sectionOf(at("a", 1), folders), "recent");
  assert.equal(sectionOf(at("a", 1, { folder: "f1" }), folders), "f1");
  assert.equal(sectionOf(at("a", 1, { folder: "gone" }), folders), "recent");
  assert.equal(sectionOf(at("a", 1, { folder: "f1", pinned: true }), folders), "pinned");
  assert.equal(sectionOf(at("a", 1, { folder: "f1", archived: true }), folders), "archive");
});

test("each section lists the newest first", () => {
  const places = bySection([at("a", 1), at("b", 3), at("c", 2), at("d", 9, { pinned: true })], folders);
  assert.deepEqual(places.get("recent")?.map((each) => each.id), ["b", "c", "a"]);
  assert.deepEqual(places.get("pinned")?.map((each) => each.id), ["d"]);
});

test("each section has the address of its pages", () => {
  assert.equal(pageUrl("recent", null), "/api/conversations/");
  assert.equal(pageUrl("recent", "5-1"), "/api/conversations/?cursor=5-1");
  assert.equal(pageUrl("archive"), "/api/conversations/?archived=1");
  assert.equal(pageUrl("f1", "5-1"), "/api/conversations/?folder=f1&cursor=5-1");
});

test("a fresh first page forgets what is gone from it and keeps what is older", () => {
  const known = [at("old", 1), at("gone", 8), at("unpinned elsewhere", 2, { pinned: true })];
  const fresh = [at("pin", 1, { pinned: true }), at("new", 9), at("last", 5)];
  const { all, complete } = refreshed(known, fresh, "5-1", folders);
  assert.deepEqual(all.map((each) => each.id), ["old", "pin", "new", "last"]);
  assert.equal(complete, false);
  assert.deepEqual(refreshed(known, fresh, null, folders).all, fresh);
});

test("shortcuts open the palette and the sheet, plain keys only outside fields", () => {
  /** @param {string} key @param {object} [more] */
  const press = (key, more = {}) =>
    /** @type {KeyboardEvent} */ (/** @type {any} */ ({ key, target: { tagName: "BODY" }, ...more }));
  const box = { target: { tagName: "TEXTAREA" } };
  assert.equal(wanted(press("k", { ctrlKey: true }), false), "palette");
  assert.equal(wanted(press("K", { metaKey: true, ...box }), true), "palette");
  assert.equal(wanted(press("k", { ctrlKey: true, shiftKey: true }), false), "");
  assert.equal(wanted(press("?", { shiftKey: true }), false), "shortcuts");
  assert.equal(wanted(press("?", box), false), "");
  assert.equal(wanted(press("?"), true), "");
  assert.equal(wanted(press("/", { ctrlKey: true, ...box }), false), "shortcuts");
});
