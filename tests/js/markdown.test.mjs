import assert from "node:assert/strict";
import { test } from "node:test";

import { Blocks, wholeText } from "grokweb/blocks.js";
import { lex, safeUrl, toHtml } from "grokweb/markdown.js";

const html = (text) => toHtml(lex(text));

// What a model (or somebody speaking through one) may write to get code onto the page.
const HOSTILE = [
  "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg/onload=alert(1)>", "<!-- --!><script>x</script>",
  "<a href='javascript:alert(1)'>x</a>", "[x](javascript:alert(1))", "[x](JaVaScRiPt:alert(1))", "[x](&#106;avascript:alert(1))",
  "[x](java\tscript:alert(1))", "[x](data:text/html,<script>alert(1)</script>)", "[x](vbscript:x)", "<javascript:alert(1)>",
  "![x](javascript:alert(1))", "![x\" onerror=\"alert(1)](https://e.example/a.png)", "[x](https://e.example/\"onmouseover=\"alert(1))",
  "[x](https://e.example 'a\" onclick=\"alert(1)')", "```\"><script>alert(1)</script>\ncode\n```", "`<script>`", "# <script>x</script>",
  "| <script>x</script> |\n|---|\n| <img onerror=x> |", "$<script>alert(1)</script>$", "$$\n</code><script>x</script>\n$$", "\\(<img src=x onerror=x>\\)",
  "<details open ontoggle=alert(1)>", "text <iframe src=//e.example> more", "<style>*{display:none}</style>", "&lt;script&gt;alert(1)&lt;/script&gt;",
  "[r]\n\n[r]: javascript:alert(1)", "<https://e.example/\"onmouseover=x>", "[<img src=x onerror=x>](https://e.example)", "a\n<div\nonclick=x>", "<math><mi//xlink:href=\"data:x,<script>\">",
];
const OURS = /^(a|blockquote|br|code|del|div|em|h[2-6]|hr|li|ol|p|pre|span|strong|table|tbody|td|th|thead|tr|ul)$/;
const ATTRIBUTES = { a: /^(href|target|rel)$/, code: /^class$/, div: /^class$/, ol: /^start$/, span: /^class$/, td: /^align$/, th: /^align$/ };

function inspect(text, where) {
  for (const [, name, rest] of text.matchAll(/<\/?([a-zA-Z][^\s/>]*)([^>]*)>/g)) {
    assert.match(name, OURS, `${where} -> ${text}`);
    for (const [, attribute, value] of rest.matchAll(/([^\s=/]+)(?:="([^"]*)")?/g)) {
      assert.match(attribute, ATTRIBUTES[name] ?? /^$/, `${where} -> ${text}`);
      if (attribute === "href") assert.match(value, /^(https?|mailto):/, where);
    }
  }
}

test("nothing hostile becomes a tag, an attribute or an address", () => {
  for (const text of HOSTILE) {
    inspect(html(text), text);
    inspect(html(`before ${text} after`), text);
    inspect(html(`- item\n  ${text}`), text);
    inspect(html(`> ${text}`), text);
  }
});

test("raw HTML is readable as text", () => {
  assert.match(html("a <b>bold</b> claim"), /a &lt;b&gt;bold&lt;\/b&gt; claim/);
  assert.match(html("<script>alert(1)</script>"), /&lt;script&gt;alert\(1\)&lt;\/script&gt;/);
});

test("links show where they go, open elsewhere and tell nobody", () => {
  const out = html("[our bank](https://evil.example/login)");
  assert.match(out, /href="https:\/\/evil\.example\/login" target="_blank" rel="noopener nofollow noreferrer"/);
  assert.match(out, /<span class="host">\(evil\.example\)<\/span>/);
  assert.match(html("[https://bank.example](https://evil.example)"), /\(evil\.example\)/);
  assert.match(html("[bank.example](https://bank.example@evil.example/)"), /\(evil\.example\)/);
  assert.match(html("[аpple.com](https://аpple.com)"), /\(xn--/);
});

test("a link whose words are its address is not said twice", () => {
  for (const text of ["https://example.org/a", "<https://example.org>", "[example.org](https://example.org)", "www.example.org"]) {
    assert.doesNotMatch(html(text), /class="host"/);
  }
});

test("addresses without a scheme are no links", () => {
  for (const href of ["/admin/", "//evil.example", "admin", "#top", "file:///etc/passwd", "ftp://x.example", "tel:1"]) {
    assert.doesNotMatch(html(`[x](${href})`), /<a /);
  }
  assert.equal(safeUrl("mailto:a@example.org").protocol, "mailto:");
});

test("pictures are links, never loaded", () => {
  const out = html("![a cat](https://tracker.example/cat.png)");
  assert.doesNotMatch(out, /<img/);
  assert.match(out, /<a href="https:\/\/tracker\.example\/cat\.png"[^>]*>Image: a cat<\/a>/);
  assert.doesNotMatch(html("![x](data:image/png;base64,AAAA)"), /<(img|a) /);
});

test("formulas, and prices that are none", () => {
  assert.match(html("so $E = mc^2$."), /<code class="math">E = mc\^2<\/code>/);
  assert.match(html("so \\(a+b\\)"), /<code class="math">a\+b<\/code>/);
  assert.match(html("$$\nx_1 * y * z\n$$"), /<code class="math block">x_1 \* y \* z<\/code>/);
  assert.match(html("\\[ x \\]"), /<code class="math block">x<\/code>/);
  for (const text of ["$5 and $10", "it costs $5.", "`$x$`", "a $ b $ c", "$ x$"]) assert.doesNotMatch(html(text), /class="math/);
});

test("tasks are marks, not boxes that nobody can tick", () => {
  assert.match(html("- [x] done\n- [ ] open"), /<span class="task">☑<\/span> done[\s\S]*<span class="task">☐<\/span> open/);
});

test("the model's headings stand below the page's own", () => {
  assert.match(html("# One"), /<h2>One<\/h2>/);
  assert.match(html("###### Six"), /<h6>Six<\/h6>/);
});

const LONG = `# Title

A paragraph with *words*
and a second line, **bold** and \`code\`.

1. one
2. two
   - nested

   still two
3. three

\`\`\`python
def f():

    return "\`\`"
\`\`\`

> quoted
> lines

| a | b |
|---|---|
| 1 | 2 |

$$
x = y
$$

- [ ] task
- [x] done

Last words, $a$ and https://example.org/x.
`;

test("finished blocks handed out one by one are those of the whole text", () => {
  for (const size of [1, 2, 3, 7, 50, 10_000]) {
    const blocks = new Blocks();
    const out = [];
    let tail = null;
    for (let at = 0; at < LONG.length + size; at += size) {
      const step = blocks.push(LONG.slice(0, at));
      out.push(...step.added.map((each) => each.html));
      tail = step.tail;
    }
    if (tail) out.push(tail.html);
    assert.equal(out.join(""), wholeText(LONG).map((each) => each.html).join(""), `in pieces of ${size}`);
  }
});

test("only the tail is worked on again: finished blocks are not read twice", () => {
  const blocks = new Blocks();
  blocks.push("one\n\ntwo\n\nthr");
  assert.equal(blocks.frozen.length, 2);
  assert.equal(blocks.at, "one\n\ntwo\n\n".length);
  assert.deepEqual(blocks.push("one\n\ntwo\n\nthree").added, []);
});

test("a fence is open until it is closed", () => {
  const blocks = new Blocks();
  assert.equal(blocks.push("```js\nlet a").tail.open, true);
  assert.equal(blocks.push("```js\nlet a\n```").tail.open, false);
});
