/** Formulas: KaTeX in MathML mode, fetched with the first one that is whole; each source is set once a page. */

import DOMPurify from "vendor/dompurify.js";
import { el } from "grokweb/dom.js";

const CLEAN = {
  USE_PROFILES: { mathMl: true },
  ADD_TAGS: ["semantics"],
  ADD_FORBID_CONTENTS: ["annotation"], // KaTeX repeats the source there
  FORBID_ATTR: ["style", "href"],
  RETURN_DOM_FRAGMENT: true,
};
const LONGEST = 4000; // characters; what is longer stays source
const MOST_KEPT = 500;

let katex = null;
let loading = null;
const kept = new Map(); // kind and source -> the element, or null for what KaTeX does not know

/** Replaces `code`, a formula's source, by the formula: at once where KaTeX is here, else when it is. */
export function setFormula(code) {
  if (katex) { replace(code); return; }
  loading ??= import("vendor/katex.js").then((module) => { katex = module.default; });
  loading.then(() => replace(code), (error) => {
    loading = null; // the next formula asks again
    console.warn("formulas stay source:", error);
  });
}

function replace(code) {
  const block = code.classList.contains("block");
  const set = formula(code.textContent, block);
  if (set) code.replaceWith(set.cloneNode(true));
  else code.classList.remove("math"); // its source stays readable
}

function formula(source, block) {
  const key = `${block ? "block" : "line"} ${source}`;
  if (!kept.has(key)) {
    if (kept.size >= MOST_KEPT) kept.delete(kept.keys().next().value);
    kept.set(key, render(source, block));
  }
  return kept.get(key);
}

function render(source, block) {
  if (source.length > LONGEST) return null;
  try {
    const html = katex.renderToString(source, {
      output: "mathml", displayMode: block, throwOnError: true, trust: false, strict: "ignore", maxExpand: 200, maxSize: 20,
    });
    const set = el("span", { class: block ? "math block" : "math" });
    set.append(DOMPurify.sanitize(html, CLEAN));
    return set;
  } catch {
    return null;
  }
}
