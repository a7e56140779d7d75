/**
 * Markdown to HTML, without a document: raw HTML stays text, images become links, links show where they lead.
 * view/markdown_view.js sanitises the result once more before it reaches the page.
 *
 * @import { RendererThis, TokenizerAndRendererExtension, Tokens } from "vendor/marked.js"
 */

import { Marked } from "vendor/marked.js";
import { fill, gettext } from "grokweb/base/i18n.js";
import { addressAt } from "grokweb/markdown/addresses.js";
import { collapsible, section, summary } from "grokweb/markdown/collapsible.js";
import { dirOfBlocks, dirOfWords } from "grokweb/markdown/direction.js";
import { delimiter, resolve } from "grokweb/markdown/emphasis.js";
import { noteBlock, noteList, noteReference, withNotes } from "grokweb/markdown/footnotes.js";

/** @type {Record<string, string>} */
const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
/** @param {string} text */
export const escape = (text) => text.replace(/[&<>"']/g, (c) => ESCAPES[c]);

/**
 * Returns the address as a URL where a reader may be sent to it, else null. Relative ones would point into
 * this site.
 * @param {string} href
 */
export function safeUrl(href) {
  let url;
  try {
    url = new URL(href);
  } catch {
    return null;
  }
  return ["http:", "https:", "mailto:"].includes(url.protocol) ? url : null;
}

/** @param {URL} url */
const destination = (url) => (url.protocol === "mailto:" ? url.pathname : url.host);

/**
 * Tells whether the link's own words already say where it leads. Letters that only look like others never do.
 * @param {string} label @param {URL} url
 */
function namesDestination(label, url) {
  const text = label.trim();
  if (/[^ -~]/.test(text)) return false;
  if (text === destination(url)) return true;
  return [text, `https://${text}`].some((each) => {
    const said = /\s/.test(each) ? null : safeUrl(each);
    return said !== null && destination(said) === destination(url) && !said.username;
  });
}

/** @param {URL} url @param {string} inner @param {string} label */
function anchor(url, inner, label) {
  const host = namesDestination(label, url) ? "" : ` <span class="host">(${escape(destination(url))})</span>`;
  const attributes = `href="${escape(url.href)}" target="_blank" rel="noopener nofollow noreferrer"`;
  return `<a ${attributes}>${inner}</a>${host}`;
}

/** @param {Tokens.Generic[]} [tokens] @returns {string} */
const plain = (tokens = []) =>
  tokens.map((each) => (each.tokens ? plain(each.tokens) : (each.text ?? ""))).join("");

/** @type {import("vendor/marked.js").RendererObject} */
const renderer = {
  heading({ tokens, depth }) {
    const level = Math.min(6, depth + 1); // the page's own title is the h1
    return `<h${level}${dirOfWords(tokens)}>${this.parser.parseInline(tokens)}</h${level}>\n`;
  },
  paragraph({ tokens }) { return `<p${dirOfWords(tokens)}>${this.parser.parseInline(tokens)}</p>\n`; },
  blockquote({ tokens }) {
    return `<blockquote${dirOfBlocks(tokens)}>\n${this.parser.parse(tokens)}</blockquote>\n`;
  },
  list({ ordered, start, items }) {
    const tag = ordered ? "ol" : "ul";
    const from = ordered && start !== 1 ? ` start="${Number(start)}"` : "";
    const all = items.map((each) => this.listitem(each)).join("");
    return `<${tag}${from}${dirOfBlocks(items)}>\n${all}</${tag}>\n`;
  },
  listitem({ tokens }) { return `<li${dirOfBlocks(tokens)}>${this.parser.parse(tokens)}</li>\n`; },
  codespan: ({ text }) => `<code dir="ltr">${escape(text)}</code>`,
  html: ({ text }) => escape(text),
  checkbox: ({ checked }) => `<span class="task">${checked ? "☑" : "☐"}</span> `,
  code({ text, lang }) {
    const name = /^[\w+#-]{1,20}/.exec(lang ?? "")?.[0].toLowerCase();
    const language = name ? ` class="language-${escape(name)}"` : "";
    return `<pre><code${language} dir="ltr">${escape(text)}</code></pre>\n`;
  },
  link({ href, tokens }) {
    for (const each of /** @type {Tokens.Generic[]} */ (tokens)) {
      if (each.type === "image") each.linked = true; // no link within a link
    }
    const inner = this.parser.parseInline(tokens);
    const url = safeUrl(href);
    return url ? anchor(url, inner, plain(tokens)) : inner;
  },
  image(token) {
    const { href, text, linked } = /** @type {Tokens.Image & { linked?: boolean }} */ (token);
    const url = linked ? null : safeUrl(href);
    const label = fill(gettext("Image: %(name)s"), { name: text || gettext("no description") });
    return url ? anchor(url, escape(label), "") : escape(label);
  },
};

// Formulas: \( \) and \[ \] as models write them, $$ $$, and $ $ with rules that keep amounts and variables
// out.
const TEX = [
  { block: true, at: /^\\\[([\s\S]+?)\\\]/ },
  { block: true, at: /^\$\$([\s\S]+?)\$\$/ },
  { block: false, at: /^\\\(([\s\S]+?)\\\)/ },
  { block: false, at: /^\$(?![\s$?@#!])((?:\\.|[^\\$\n]){0,3999}?[^\s\\$])\$(?![A-Za-z0-9$])/ },
];
const MAIL_BEGINS = /(?<=[^A-Za-z0-9.+-])[A-Za-z0-9][A-Za-z0-9._+-]{0,63}@/;
// "$5 or 10$", "$HOME or $"
const PROSE = /^(?:[\d.,]+|[A-Z][A-Z0-9_]+)(?![\w])[^\\^{}=<>+]*\s(?!mod\b)[A-Za-z]{2}[^\\^{}=<>+]*$/;

/**
 * Returns the formula at the beginning of `src`, or null. `before` is the character in front of it.
 * @param {string} src @param {string} [before]
 */
function readTex(src, before = "") {
  for (const { block, at } of TEX) {
    const found = at.exec(src);
    if (!found || /\n\s*\n|\]\(/.test(found[1]) || !found[1].trim()) continue;
    const [raw, body] = found;
    const isShell = /^[({]/.test(body) && src[raw.length] === body[0]; // ${A}/${B}, $(a) $(b)
    if (!block && src[0] === "$" && (isShell || /[A-Za-z0-9]/.test(before) || PROSE.test(body))) continue;
    return { raw: found[0], text: found[1].trim(), block };
  }
  return null;
}

/** Returns the character in front of what a rule reads. @param {Tokens.Generic[]} tokens */
const before = (tokens) => tokens.at(-1)?.raw.at(-1);

/** @param {Tokens.Generic} token */
const formula = ({ block, text }) =>
  `<code class="math${block ? " block" : ""}" dir="ltr">${escape(text)}</code>`;

/** @type {TokenizerAndRendererExtension} */
const mathBlock = {
  name: "mathBlock",
  level: "block",
  // of a later line: a cut within one would lose its letters
  start: (src) => src.search(/\n {0,3}(?:\$\$|\\\[)/),
  tokenizer(src) {
    const indent = /^ {0,3}(?=\$\$|\\\[)/.exec(src);
    const found = indent && readTex(src.slice(indent[0].length));
    if (!indent || !found?.block) return undefined;
    const rest = /^[ \t]*(?:\n+|$)/.exec(src.slice(indent[0].length + found.raw.length));
    if (!rest) return undefined; // words follow on the same line: a formula inside a paragraph
    return { type: "mathBlock", raw: indent[0] + found.raw + rest[0], text: found.text, block: true };
  },
  renderer: (token) => `<p>${formula(token)}</p>\n`,
};

/** @type {TokenizerAndRendererExtension} */
const mathInline = {
  name: "mathInline",
  level: "inline",
  start: (src) => src.search(/\$|\\[([]/),
  tokenizer(src, tokens) {
    const found = readTex(src, before(tokens));
    return found ? { type: "mathInline", ...found } : undefined;
  },
  renderer: formula,
};

/** @type {TokenizerAndRendererExtension} */
const address = {
  name: "address",
  level: "inline",
  start: (src) => (src.includes("@") ? src.search(MAIL_BEGINS) : -1),
  tokenizer(src, tokens) {
    const found = this.lexer.state.inLink ? null : addressAt(src, before(tokens));
    if (!found) return undefined;
    const text = { type: "text", raw: found.raw, text: found.raw, escaped: false };
    return { type: "link", ...found, text: found.raw, tokens: [text] };
  },
};

/**
 * `<br>`: a line break in the cell of a table, which has no other; elsewhere text.
 * @type {TokenizerAndRendererExtension}
 */
const cellBreak = {
  name: "cellBreak",
  level: "inline",
  tokenizer(src) {
    const raw = /^<br\s*\/?>/i.exec(src)?.[0];
    return raw ? { type: "cellBreak", raw, text: raw } : undefined;
  },
  renderer: ({ raw }) => escape(raw),
};

// The beginnings of the blocks in footnotes.js and collapsible.js, which end a list.
const ENDS_LIST = String.raw`(?:\[\^[^\]\[^\s]{1,40}\]:|<details[\s>])`;

/** @param {number} indent */
const endsList = (indent) => new RegExp(`^ {0,${Math.min(3, indent - 1)}}${ENDS_LIST}`, "i");

const marked = new Marked({
  gfm: true,
  breaks: true, // models break lines where they want them broken
  renderer: {
    ...renderer,
    table(token) {
      const cell = (/** @type {Tokens.TableCell} */ each, /** @type {"th" | "td"} */ tag) => {
        const align = each.align ? ` align="${each.align}"` : "";
        return `<${tag}${align}${dirOfWords(each.tokens)}>${this.parser.parseInline(each.tokens)}</${tag}>`;
      };
      const row = (/** @type {Tokens.TableCell[]} */ cells, /** @type {"th" | "td"} */ tag) =>
        `<tr>${cells.map((each) => cell(each, tag)).join("")}</tr>`;
      const rows = token.rows.map((each) => row(each, "td")).join("");
      const body = rows ? `<tbody>${rows}</tbody>` : "";
      const head = `<thead>${row(token.header, "th")}</thead>`;
      return `<div class="table"><table${dirOfBlocks([token])}>${head}${body}</table></div>\n`;
    },
  },
  // HTML is text like any other in an answer. Marks and addresses have rules of their own.
  tokenizer: {
    html: () => undefined,
    tag: () => undefined,
    emStrong: () => undefined,
    del: () => undefined,
    url: () => undefined,
    list() {
      this.rules.other = { ...this.rules.other, htmlBeginRegex: endsList }; // no other tag does
      return false; // read it as always
    },
  },
  extensions: [
    mathBlock, mathInline, address, cellBreak, delimiter,
    noteBlock, noteReference, noteList, collapsible, section, summary,
  ],
});

/**
 * Pairs the marks of every line of words, at any depth.
 * @param {Tokens.Generic[]} tokens
 * @returns {Tokens.Generic[]}
 */
function settle(tokens, inCell = false) {
  for (const token of tokens) {
    if (token.tokens) token.tokens = settle(token.tokens, inCell);
    if (token.type === "list") for (const item of token.items) item.tokens = settle(item.tokens);
    if (token.type === "table") {
      for (const cell of [...token.header, ...token.rows.flat()]) cell.tokens = settle(cell.tokens, true);
    }
    if (token.type === "cellBreak" && inCell) token.type = "br";
    if (token.type === "cellBreak") Object.assign(token, { type: "text", escaped: false });
  }
  return resolve(tokens);
}

/** Unifies line ends, as lex() does: a place in its tokens is a place in this text. @param {string} text */
export const oneLineEnd = (text) => (text.includes("\r") ? text.replace(/\r\n?/g, "\n") : text);
/** Returns the tokens of a piece of a growing text; every token has its place in it. @param {string} text */
export const lexPart = (text) => settle(marked.lexer(oneLineEnd(text)));

/** Returns the tokens of a whole text, with its footnotes at the end. @param {string} text */
export const lex = (text) => withNotes(lexPart(text));

/** @param {Tokens.Generic[]} tokens */
export const toHtml = (tokens) => marked.parser(tokens);
