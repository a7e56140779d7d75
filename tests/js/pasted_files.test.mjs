import assert from "node:assert/strict";
import { test } from "node:test";

import { namesFiles } from "grokweb/parts/pasted_files.js";

/** @param {string[]} names */
const files = (...names) => names.map((name) => ({ name }));

test("names and paths as file managers write them say which files were copied", () => {
  assert.ok(namesFiles("notes.txt", files("notes.txt"))); // Finder
  assert.ok(namesFiles("a.txt\rb.csv", files("a.txt", "b.csv")));
  assert.ok(namesFiles("notes", files("notes.txt"))); // with hidden endings
  assert.ok(namesFiles("/home/a/my notes.txt\n", files("my notes.txt")));
  assert.ok(namesFiles("/home/a/my%20notes.txt", files("my%20notes.txt")));
  assert.ok(namesFiles("file:///home/a/my%20notes.txt", files("my notes.txt"))); // Dolphin
  assert.ok(namesFiles("x-special/nautilus-clipboard\ncopy\nfile:///tmp/a.txt", files("a.txt")));
  assert.ok(namesFiles("C:\\Users\\a\\a.txt", files("a.txt")));
  assert.ok(namesFiles("re\u0301sume\u0301.pdf", files("résumé.pdf"))); // macOS takes accents apart
  assert.ok(namesFiles("100%.txt", files("100%.txt")));
});

test("text beside a picture of it is pasted as text", () => {
  assert.ok(!namesFiles("Dear colleagues,\n", files("image.png")));
  assert.ok(!namesFiles("1\t2\n3\t4", files("image.png")));
  assert.ok(!namesFiles("notes.txt\nand more", files("notes.txt")));
  assert.ok(!namesFiles(" ", files("image.png")));
});
