/** Markdown to HTML, without a document: raw HTML stays text, images become links, links show where they go.
 *  render.js sanitises the result once more before it reaches the page. */

import { Marked } from "vendor/marked.js";
import { fill, gettext } from "grokweb/words.js";

const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
export const escape = (text) => text.replace(/[&<>"']/g, (c) => ESCAPES[c]);

/** The address as a URL where a reader may be sent to it, else null. Relative ones would point into this site. */
export function safeUrl(href) {
  let url;
  try {
    url = new URL(href);
  } catch {
    return null;
  }
  return ["http:", "https:", "mailto:"].includes(url.protocol) ? url : null;
}

const destination = (url) => (url.protocol === "mailto:" ? url.pathname : url.host);

/** Whether the link's own words already say where it goes. Letters that only look like others never do. */
function saysSo(label, url) {
  const text = label.trim();
  if (/[^ -~]/.test(text)) return false;
  if (text === destination(url)) return true;
  return [text, `https://${text}`].some((each) => {
    const said = /\s/.test(each) ? null : safeUrl(each);
    return said !== null && destination(said) === destination(url) && !said.username;
  });
}

function anchor(url, inner, label) {
  const host = saysSo(label, url) ? "" : ` <span class="host">(${escape(destination(url))})</span>`;
  return `<a href="${escape(url.href)}" target="_blank" rel="noopener nofollow noreferrer">${inner}</a>${host}`;
}

const plain = (tokens = []) => tokens.map((each) => (each.tokens ? plain(each.tokens) : (each.text ?? ""))).join("");

const renderer = {
  heading({ tokens, depth }) {
    const level = Math.min(6, depth + 1); // the page's own title is the h1
    return `<h${level}>${this.parser.parseInline(tokens)}</h${level}>\n`;
  },
  html: ({ text }) => escape(text),
  checkbox: ({ checked }) => `<span class="task">${checked ? "☑" : "☐"}</span> `,
  code({ text, lang }) {
    const name = /^[\w+#-]{1,20}/.exec(lang ?? "")?.[0].toLowerCase();
    return `<pre><code${name ? ` class="language-${escape(name)}"` : ""}>${escape(text)}</code></pre>\n`;
  },
  link({ href, tokens }) {
    const inner = this.parser.parseInline(tokens);
    const url = safeUrl(href);
    return url ? anchor(url, inner, plain(tokens)) : inner;
  },
  image({ href, text }) {
    const url = safeUrl(href);
    const label = fill(gettext("Image: %(name)s"), { name: text || gettext("no description") });
    return url ? anchor(url, escape(label), "") : escape(label);
  },
};

/** Formulas: \( \) and \[ \] as models write them, $ $ with the rules that keep prices out, $$ $$. */
const TEX = [
  { block: true, at: /^\\\[([\s\S]+?)\\\]/ },
  { block: true, at: /^\$\$([\s\S]+?)\$\$/ },
  { block: false, at: /^\\\(([\s\S]+?)\\\)/ },
  { block: false, at: /^\$(?![\s$])((?:\\.|[^\\$\n])*?[^\s\\$])\$(?![\d$])/ },
];

function readTex(src) {
  for (const { block, at } of TEX) {
    const found = at.exec(src);
    if (found && !/\n\s*\n/.test(found[1])) return { raw: found[0], text: found[1].trim(), block };
  }
  return null;
}

const formula = (token) => `<code class="math${token.block ? " block" : ""}">${escape(token.text)}</code>`;
const mathBlock = {
  name: "mathBlock",
  level: "block",
  start: (src) => /(?:^|\n) {0,3}(?:\$\$|\\\[)/.exec(src)?.index,
  tokenizer(src) {
    const indent = /^ {0,3}(?=\$\$|\\\[)/.exec(src);
    const found = indent && readTex(src.slice(indent[0].length));
    if (!found?.block) return undefined;
    const rest = /^[ \t]*(?:\n+|$)/.exec(src.slice(indent[0].length + found.raw.length));
    if (!rest) return undefined; // words follow on the same line: a formula inside a paragraph
    return { type: "mathBlock", raw: indent[0] + found.raw + rest[0], text: found.text, block: true };
  },
  renderer: (token) => `<p>${formula(token)}</p>\n`,
};
const mathInline = {
  name: "mathInline",
  level: "inline",
  start: (src) => /\$|\\[([]/.exec(src)?.index,
  tokenizer(src) {
    const found = readTex(src);
    return found ? { type: "mathInline", ...found } : undefined;
  },
  renderer: formula,
};

const marked = new Marked({
  gfm: true,
  breaks: true, // models break lines where they want them broken
  renderer: {
    ...renderer,
    table(token) {
      const cell = (each, tag) => {
        const align = each.align ? ` align="${each.align}"` : "";
        return `<${tag}${align}>${this.parser.parseInline(each.tokens)}</${tag}>`;
      };
      const row = (cells, tag) => `<tr>${cells.map((each) => cell(each, tag)).join("")}</tr>`;
      const body = token.rows.map((each) => row(each, "td")).join("");
      return `<div class="table"><table><thead>${row(token.header, "th")}</thead><tbody>${body}</tbody></table></div>\n`;
    },
  },
  // Neither blocks nor tags of HTML exist in what the model writes: they are text like any other.
  tokenizer: { html: () => undefined, tag: () => undefined },
  extensions: [mathBlock, mathInline],
});

export const lex = (text) => marked.lexer(text.includes("\r") ? text.replace(/\r\n?/g, "\n") : text);
export const toHtml = (tokens) => marked.parser(tokens);
