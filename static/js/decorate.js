/** Code gets its bar and its colours, formulas are set: in the chat, and on pages that are only read. */

import DOMPurify from "vendor/dompurify.js";
import { copyText, el, icon } from "grokweb/dom.js";
import { setFormula } from "grokweb/formulas.js";
import { gettext } from "grokweb/words.js";

const CLEAN_CODE = { ALLOWED_TAGS: ["span"], ALLOWED_ATTR: ["class"], RETURN_DOM_FRAGMENT: true };

const ALIASES = {
  "c++": "cpp", "c#": "csharp", cs: "csharp", golang: "go", h: "c", hpp: "cpp", html: "xml", js: "javascript",
  jsx: "javascript", kt: "kotlin", md: "markdown", mjs: "javascript", patch: "diff", py: "python", python3: "python",
  rb: "ruby", rs: "rust", sh: "bash", shell: "bash", svg: "xml", ts: "typescript", tsx: "typescript", yml: "yaml",
  zsh: "bash",
};
const LONGEST_COLOURED = 40_000; // characters; longer code stays plain rather than freezing the page

/** `open`: code that is still being written gets its colours later. Formulas among the nodes are whole. */
export function decorate(nodes, open) {
  for (const pre of nodes.querySelectorAll("pre")) frameCode(pre, open);
  for (const code of nodes.querySelectorAll("code.math")) setFormula(code);
}

function frameCode(pre, open) {
  const code = pre.querySelector("code");
  const name = /language-(\S+)/.exec(code.className)?.[1] ?? "";
  const label = el("span", {}, gettext("Copy"));
  const button = el("button", { type: "button" }, icon("copy"), label);
  button.addEventListener("click", () => copyText(code.textContent, label));
  const wrap = el("button", { type: "button", "aria-pressed": "false" }, gettext("Wrap lines"));
  wrap.addEventListener("click", () => wrap.setAttribute("aria-pressed", String(pre.classList.toggle("wrapped"))));
  const frame = el("div", { class: "code" }, el("div", { class: "code-bar" }, el("span", {}, name || gettext("Code")), wrap, button));
  pre.replaceWith(frame);
  frame.append(pre);
  pre.tabIndex = 0; // it may scroll sideways: reachable by keyboard
  if (!open) colour(code, ALIASES[name] ?? name);
}

async function colour(code, name) {
  const text = code.textContent;
  if (!name || text.length > LONGEST_COLOURED) return;
  try {
    const { highlighted } = await import("grokweb/grammars.js");
    const html = await highlighted(text, name);
    if (html !== null) code.replaceChildren(DOMPurify.sanitize(html, CLEAN_CODE));
  } catch (error) {
    console.warn("code stays plain:", error); // a module that did not load must not cost the text
  }
}
