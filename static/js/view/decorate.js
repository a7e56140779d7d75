/** Adds the bar and colours of code and sets formulas: in the chat, and on pages that are only read. */

import DOMPurify from "vendor/dompurify.js";
import { gettext } from "grokweb/base/i18n.js";
import { copyText } from "grokweb/ui/clipboard.js";
import { el, find, icon } from "grokweb/ui/dom.js";
import { setFormula } from "grokweb/view/formulas.js";

const CLEAN_CODE = { ALLOWED_TAGS: ["span"], ALLOWED_ATTR: ["class"] };

/** @type {Record<string, string>} */
const ALIASES = {
  "c++": "cpp", "c#": "csharp", cs: "csharp", golang: "go", h: "c", hpp: "cpp", html: "xml", js: "javascript",
  jsx: "javascript", kt: "kotlin", md: "markdown", mjs: "javascript", patch: "diff", py: "python",
  python3: "python", rb: "ruby", rs: "rust", sh: "bash", shell: "bash", svg: "xml", ts: "typescript",
  tsx: "typescript", yml: "yaml", zsh: "bash",
};
const LONGEST_COLOURED = 40_000; // characters; longer code stays plain rather than freezing the page

/**
 * Decorates the code and formulas among `nodes`. `open`: code that is still being written gets its colours
 * later.
 * @param {ParentNode} nodes @param {boolean} open
 */
export function decorate(nodes, open) {
  for (const pre of nodes.querySelectorAll("pre")) frameCode(pre, open);
  /** @type {NodeListOf<HTMLElement>} */
  const formulas = nodes.querySelectorAll("code.math");
  for (const code of formulas) setFormula(code);
}

/** @param {HTMLPreElement} pre @param {boolean} open */
function frameCode(pre, open) {
  const code = find("code", pre);
  const name = /language-(\S+)/.exec(code.className)?.[1] ?? "";
  const label = el("span", {}, gettext("Copy"));
  const button = el("button", { type: "button" }, icon("copy"), label);
  button.addEventListener("click", () => copyText(code.textContent, label));
  const wrap = el("button", { type: "button", "aria-pressed": "false", "data-wrap": true }, gettext("Wrap lines"));
  wrap.addEventListener("click", () => {
    wrap.setAttribute("aria-pressed", String(pre.classList.toggle("wrapped")));
  });
  const bar = el("div", { class: "code-bar" }, el("span", {}, name || gettext("Code")), wrap, button);
  const frame = el("div", { class: "code" }, bar);
  pre.replaceWith(frame);
  frame.append(pre);
  pre.tabIndex = 0; // it may scroll sideways: reachable by keyboard
  if (!open) colour(code, ALIASES[name] ?? name);
}

/** @param {HTMLElement} code @param {string} name  of the language */
async function colour(code, name) {
  const text = code.textContent;
  if (!name || text.length > LONGEST_COLOURED) return;
  try {
    const { highlighted } = await import("grokweb/view/highlighter.js");
    const html = await highlighted(text, name);
    if (html === null) return;
    code.replaceChildren(DOMPurify.sanitize(html, { ...CLEAN_CODE, RETURN_DOM_FRAGMENT: true }));
  } catch (error) {
    console.warn("code stays plain:", error); // a module that did not load must not cost the text
  }
}
