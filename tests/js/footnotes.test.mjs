import assert from "node:assert/strict";
import { test } from "node:test";

import { Blocks, wholeText } from "grokweb/markdown/blocks.js";
import { lex, toHtml } from "grokweb/markdown/markdown.js";
import { plainText, spokenText } from "grokweb/markdown/plain_text.js";

/** @param {string} text */
const html = (text) => toHtml(lex(text)).replace(/\s*\n\s*/g, "");
/** @param {string} text */
const letters = (text) => text.replace(/<[^>]*>/g, "").replace(/[^\p{L}\p{N}]/gu, "");
const NOTES = "Bread[^flour] and wine[^2], bread[^flour].\n\n[^2]: Red.\n[^flour]: Rye, *mostly*.\n\n    Or wheat.\n[^3]: Nobody asks.\n";

test("footnotes stand at the end, numbered as they are referred to", () => {
  const out = html(`${NOTES}\nAfter.`);
  assert.match(out, /^<p[^>]*>Bread<sup class="note-ref"><a href="#note-0-1">1<\/a><\/sup> and wine<sup class="note-ref"><a href="#note-0-2">2<\/a>/);
  assert.match(out, /<p[^>]*>After\.<\/p><div class="notes"><ol[^>]*><li[^>]*><p[^>]*>Rye, <em>mostly<\/em>\.<\/p><p[^>]*>Or wheat\.<\/p><a class="note-back" href="#note-0-1-back">/);
  assert.ok(out.indexOf("Red.") < out.indexOf("Nobody asks."));
  assert.equal(out.split("note-back").length - 1, 2); // of those that are referred to
});

test("a reference without a note stays text, as does one in code", () => {
  assert.match(html("[^1] is no note"), />\[\^1\] is no note</);
  assert.match(html("`[^1]` and x[^1]\n\n[^1]: note"), /<code[^>]*>\[\^1\]<\/code> and x<sup/);
  assert.match(html("```\n[^1]: code\n```"), /<pre>/);
});

test("a definition is no address of a link", () => {
  const out = html("Look[^1].\n\n[^1]: https://example.org/");
  assert.match(out, /<li[^>]*><p[^>]*><a href="https:\/\/example\.org\/"/);
});

test("collapsible sections hold Markdown", () => {
  const out = html("<details>\n<summary>More **here**</summary>\n\n- a\n- b\n\n</details>\n\nAfter.");
  assert.match(out, /^<details[^>]*><summary[^>]*>More <strong>here<\/strong><\/summary><ul[^>]*><li[^>]*>a<\/li><li[^>]*>b<\/li><\/ul><\/details><p[^>]*>After\.<\/p>$/);
  assert.match(html("<details open><summary>S</summary>one line</details>"), /^<details open[^>]*><summary[^>]*>S<\/summary><p[^>]*>one line<\/p><\/details>$/);
  assert.match(html("<details>x</details>"), /<summary[^>]*>Details<\/summary>/);
});

test("sections nest, and a closing tag in code ends none", () => {
  const out = html("<details>\n\n```html\n</details>\n```\n\n<details>\n\ninner\n\n</details>\n\nouter\n\n</details>\n\nafter");
  assert.match(out, /&lt;\/details&gt;[\s\S]*inner<\/p><\/details><p[^>]*>outer<\/p><\/details><p[^>]*>after<\/p>$/);
});

test("a section lets no other HTML in", () => {
  for (const text of [
    "<details open ontoggle=alert(1)>x</details>", "<details onclick='x'>", "<details><summary onclick=x>a</summary></details>",
    "<details><summary><img src=x onerror=x></summary><script>x</script></details>", "<summary>alone</summary>",
    "[^1]: <script>x</script>\n\n[^1]", "[^<b>]: x\n\n[^<b>]", "x[^\"onclick=x]\n\n[^\"onclick=x]: y",
  ]) {
    assert.doesNotMatch(html(text), /<(script|img|b)\b|<[^>]*\son\w+=/, text);
  }
});

test("deep nesting is limited, and hostile sections cost little", () => {
  const deep = html("<details>\n".repeat(4000));
  assert.ok(deep.split("<details open").length - 1 <= 5);
  assert.ok(html("[^a]: x\n".repeat(4000)).includes("note"));
});

test("every prefix of a stream shows every letter of notes and sections", () => {
  const text = `${NOTES}\n<details>\n<summary>Title</summary>\n\nBody one\n\n- item\n\n</details>\n\nThe end.\n`;
  const blocks = new Blocks();
  for (let at = 1; at <= text.length; at += 1) {
    const prefix = text.slice(0, at);
    const { tail } = blocks.push(prefix);
    if (/<\/?[a-z]*$/.test(prefix)) continue; // within a tag
    const words = prefix.replace(/<\/?(?:details|summary)>/g, "");
    assert.equal(letters(blocks.frozen.join("") + (tail?.html ?? "")).replace("Details", ""), letters(words), JSON.stringify(prefix));
  }
  assert.match(wholeText(text).at(-1)?.html ?? "", /class="notes"/);
});

test("an unfinished section is open, a finished one as it says", () => {
  /** @param {string} text */
  const grown = (text) => new Blocks().push(text).tail?.html ?? "";
  assert.match(grown("<details>\n<summary>Title</summary>\n\nwords"), /^<details open/);
  assert.match(grown("<details>\n<summary>Title</summary>\n\nwords\n\n</details>"), /^<details(?! open)/);
});

test("plain text keeps references and reading aloud leaves them out", () => {
  assert.equal(plainText("a[^x]\n\n[^x]: b"), "a[^x]\n\n[^x]: b");
  assert.equal(spokenText("a[^x].\n\n[^x]: b"), "a.\nb");
  assert.equal(plainText("<details>\n<summary>T</summary>\n\nw\n\n</details>"), "T\nw");
});
