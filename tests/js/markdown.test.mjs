import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { Blocks, wholeText } from "grokweb/markdown/blocks.js";
import { lex, safeUrl, toHtml } from "grokweb/markdown/markdown.js";

/** @param {string} text */
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
/** @type {Record<string, RegExp>} */
const ATTRIBUTES = { a: /^(href|target|rel)$/, code: /^(class|dir)$/, div: /^class$/, ol: /^(start|dir)$/, span: /^class$/, td: /^(align|dir)$/, th: /^(align|dir)$/ };

/** @param {string} text @param {string} where */
function inspect(text, where) {
  for (const [, name, rest] of text.matchAll(/<\/?([a-zA-Z][^\s/>]*)([^>]*)>/g)) {
    assert.match(name, OURS, `${where} -> ${text}`);
    for (const [, attribute, value] of rest.matchAll(/([^\s=/]+)(?:="([^"]*)")?/g)) {
      assert.match(attribute, ATTRIBUTES[name] ?? /^dir$/, `${where} -> ${text}`);
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

test("a link whose words are its address shows no host", () => {
  for (const text of ["https://example.org/a", "<https://example.org>", "[example.org](https://example.org)", "www.example.org"]) {
    assert.doesNotMatch(html(text), /class="host"/);
  }
});

test("addresses without a scheme are no links", () => {
  for (const href of ["/admin/", "//evil.example", "admin", "#top", "file:///etc/passwd", "ftp://x.example", "tel:1"]) {
    assert.doesNotMatch(html(`[x](${href})`), /<a /);
  }
  assert.equal(safeUrl("mailto:a@example.org")?.protocol, "mailto:");
});

test("pictures are links, never loaded", () => {
  const out = html("![a cat](https://tracker.example/cat.png)");
  assert.doesNotMatch(out, /<img/);
  assert.match(out, /<a href="https:\/\/tracker\.example\/cat\.png"[^>]*>Image: a cat<\/a>/);
  assert.doesNotMatch(html("![x](data:image/png;base64,AAAA)"), /<(img|a) /);
});

test("formulas are set and prices are not", () => {
  assert.match(html("so $E = mc^2$."), /<code class="math" dir="ltr">E = mc\^2<\/code>/);
  assert.match(html("so \\(a+b\\)"), /<code class="math" dir="ltr">a\+b<\/code>/);
  assert.match(html("$$\nx_1 * y * z\n$$"), /<code class="math block" dir="ltr">x_1 \* y \* z<\/code>/);
  assert.match(html("\\[ x \\]"), /<code class="math block" dir="ltr">x<\/code>/);
  for (const text of ["$5 and $10", "it costs $5.", "`$x$`", "a $ b $ c", "$ x$"]) assert.doesNotMatch(html(text), /class="math/);
});

test("amounts and shell variables are no formulas, formulas beside other scripts are", () => {
  for (const text of ["100$, or 200$ with", "20$-30$ per", "(5$) and (10$)", "100$/mois ou 1000$/an", "US$5 or A$ 6", "$HOME/$USER and $PATH:$LIB", "A=$FOO-$BAR now", "from $5 to 10$.", "x$a$", "${HOME}/bin:${PATH}", "$(pwd)/$(date)", "echo $?/$!"]) {
    assert.equal(html(text), `<p dir="auto">${text}</p>\n`);
  }
  assert.equal(html("设$x$为 $\\$0.60$, $a_1$ $b_2$").match(/class="math"/g)?.length, 4);
});

test("only two tildes strike", () => {
  assert.equal(html("5~10 min and 20~30 MB"), '<p dir="auto">5~10 min and 20~30 MB</p>\n');
  assert.equal(html("~a~ ~~gone~~ ~~~b~~~"), '<p dir="auto">~a~ <del>gone</del> ~<del>b</del>~</p>\n');
});

test("bold needs no space beside Chinese, Japanese and Korean", () => {
  assert.equal(html("这是**“取出并重置”模式**。"), '<p dir="auto">这是<strong>“取出并重置”模式</strong>。</p>\n');
  assert.equal(html("**该星号。**这是因为"), '<p dir="auto"><strong>该星号。</strong>这是因为</p>\n');
  assert.equal(html("**Markdown（マークダウン）**は軽量"), '<p dir="auto"><strong>Markdown（マークダウン）</strong>は軽量</p>\n');
  assert.equal(html("이것은 **중요(important)**는"), '<p dir="auto">이것은 <strong>중요(important)</strong>는</p>\n');
  assert.equal(html('a**"b"**c'), '<p dir="auto">a**&quot;b&quot;**c</p>\n');
});

test("marks are paired as CommonMark pairs them", () => {
  assert.equal(html("***a** b* **c *d* e** 2*3*4 a_b_c"), '<p dir="auto"><em><strong>a</strong> b</em> <strong>c <em>d</em> e</strong> 2<em>3</em>4 a_b_c</p>\n');
  assert.equal(html("**a `*` $b*c$ [d*](https://e.example/)**").match(/<em>|<strong>/g)?.length, 1);
});

test("an address ends before the words around it and leads to no other host", () => {
  const link = (/** @type {string} */ text) => /href="([^"]+)"[^>]*>([^<]+)<\/a>([^<]*)/.exec(html(text))?.slice(1);
  assert.deepEqual(link("看https://example.com/a路径"), ["https://example.com/a", "https://example.com/a", "路径"]);
  assert.deepEqual(link("https://example.com。evil.example"), ["https://example.com/", "https://example.com", "。evil.example"]);
  assert.deepEqual(link("https://example.com．evil.example"), ["https://example.com/", "https://example.com", "．evil.example"]);
  assert.deepEqual(link("（https://example.com/a）"), ["https://example.com/a", "https://example.com/a", "）"]);
  assert.deepEqual(link("https://example.com/a?b=c，d"), ["https://example.com/a?b=c", "https://example.com/a?b=c", "，d"]);
  assert.equal(link("https://ru.example/Москва, da")?.[1], "https://ru.example/Москва");
  assert.deepEqual(link("发到info@a.example吧"), ["mailto:info@a.example", "info@a.example", "吧"]);
  for (const text of ["https://exämple.com/x", "https://例え.jp", "https://www.例え.jp/x"]) assert.equal(link(text), undefined);
});

test("<br> breaks the line in a cell, and is text elsewhere", () => {
  assert.match(html("| a |\n|---|\n| 1<br>2<BR />3 <b>4</b> |"), /<td dir="auto">1<br>2<br>3 &lt;b&gt;4&lt;\/b&gt;<\/td>/);
  assert.equal(html("1<br>2"), '<p dir="auto">1&lt;br&gt;2</p>\n');
});

test("each block has a direction of its own, what holds blocks that of its words, code none but its own", () => {
  assert.equal(html("`x.sh` שלום\n\nEnglish"), '<p dir="auto"><code dir="ltr">x.sh</code> שלום</p>\n<p dir="auto">English</p>\n');
  assert.equal(html("> `a` ציטוט"), '<blockquote dir="rtl">\n<p dir="auto"><code dir="ltr">a</code> ציטוט</p>\n</blockquote>\n');
  assert.match(html("1. שלום\n2. a\n3. 5"), /^<ol dir="rtl">\n<li dir="rtl">שלום<\/li>\n<li dir="ltr">a<\/li>\n<li>5<\/li>/);
  assert.match(html("| א | b |\n|---|---|\n| 1 | ב |"), /<table dir="rtl"><thead><tr><th dir="auto">א<\/th>.*<td>1<\/td><td dir="auto">ב/);
  assert.match(html("# כותרת"), /<h2 dir="auto">/);
  assert.equal(html("```\nx\n```"), '<pre><code dir="ltr">x</code></pre>\n');
});

test("a link holds no other link", () => {
  assert.equal(html("[![a](https://x.example/y.png)](https://z.example)").match(/<a /g)?.length, 1);
});

test("tasks are signs, not checkboxes", () => {
  assert.match(html("- [x] done\n- [ ] open"), /<span class="task">☑<\/span> done[\s\S]*<span class="task">☐<\/span> open/);
});

test("the model's headings stand below the page's own", () => {
  assert.match(html("# One"), /<h2 dir="auto">One<\/h2>/);
  assert.match(html("###### Six"), /<h6 dir="auto">Six<\/h6>/);
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
  assert.equal(blocks.push("```js\nlet a").tail?.open, true);
  assert.equal(blocks.push("```js\nlet a\n```").tail?.open, false);
});

/** @type {string[]} */
const TEXTS = JSON.parse(readFileSync(new URL("../data/markdown_texts.json", import.meta.url), "utf8"));
/** @type {Record<string, string>} */
const ENTITIES = { "&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'" };
const letters = (/** @type {string} */ text) => text.replace(/[^\p{L}\p{N}]/gu, "");
const shown = (/** @type {string} */ made) => letters(made.replace(/ <span class="host">.*?<\/span>/g, "").replace(/<[^>]*>/g, "").replace(/&\w+;|&#39;/g, (each) => ENTITIES[each] ?? each));

/**
 * Yields each prefix of a text that comes in pieces of one character, with the letters that are shown for it.
 * @param {string} text
 */
function* grown(text) {
  const blocks = new Blocks();
  for (let at = 1; at <= text.length; at += 1) {
    const { tail } = blocks.push(text.slice(0, at));
    yield [text.slice(0, at), shown(blocks.frozen.join("") + (tail?.html ?? ""))];
  }
}

test("every prefix of a stream shows the letters that the whole prefix shows", () => {
  const carriage = TEXTS.filter((text) => text.includes("\n")).map((text) => text.replaceAll("\n", "\r\n"));
  for (const text of [...TEXTS, ...carriage]) {
    for (const [prefix, seen] of grown(text)) {
      if (/^\[[^\]]+\]:/m.test(prefix)) continue; // a definition of links is no words
      assert.equal(seen, shown(wholeText(prefix).map((each) => each.html).join("")), JSON.stringify(prefix));
    }
  }
});

test("every prefix of a stream shows every letter", () => {
  const plain = TEXTS.filter((text) => !/\]\(|\]:|```|~~~|&|\[x\]|^\s*\d+[.)]|\|/m.test(text));
  assert.ok(plain.length > 150);
  for (const text of ["the result\n   $$x$$ follows here.\n\nSecond paragraph.\n\nThird.", ...plain]) {
    for (const [prefix, seen] of grown(text)) assert.equal(seen, letters(prefix), JSON.stringify(prefix));
  }
});
