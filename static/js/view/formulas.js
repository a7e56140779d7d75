/**
 * Formulas, set by KaTeX in MathML mode; it is loaded with the first one. Each source is rendered once a
 * page.
 */

import DOMPurify from "vendor/dompurify.js";
import { el } from "grokweb/ui/dom.js";

const CLEAN = {
  USE_PROFILES: { mathMl: true },
  ADD_TAGS: ["semantics"],
  ADD_FORBID_CONTENTS: ["annotation"], // KaTeX repeats the source there
  FORBID_ATTR: ["style", "href"],
};
const LONGEST = 4000; // characters; what is longer stays source
const MOST_CACHED = 500;

/**
 * @type {{ katex: typeof import("vendor/katex.js").default, toMathMLCore: (root: Element) => void } | null}
 */
let loaded = null;
/** @type {Promise<void> | null} */
let loading = null;
/**
 * @type {Map<string, HTMLElement | null>} kind and source -> the element, or null for what KaTeX does not
 * know
 */
const cache = new Map();

/**
 * Replaces `code`, a formula's source, by the formula: at once where KaTeX is loaded, else when it is.
 * @param {HTMLElement} code
 */
export function setFormula(code) {
  if (loaded) { replace(code); return; }
  loading ??= load();
  loading.then(() => replace(code), (error) => {
    loading = null; // the next formula asks again
    console.warn("formulas stay source:", error);
  });
}

async function load() {
  const [{ default: katex }, { toMathMLCore }] = await Promise.all([
    import("vendor/katex.js"), import("grokweb/view/mathml_core.js"),
  ]);
  loaded = { katex, toMathMLCore };
}

/** @param {HTMLElement} code */
function replace(code) {
  const block = code.classList.contains("block");
  const set = formula(code.textContent, block);
  if (set) code.replaceWith(set.cloneNode(true));
  else code.classList.remove("math"); // its source stays readable
}

/** @param {string} source @param {boolean} block */
function formula(source, block) {
  const key = `${block ? "block" : "line"} ${source}`;
  if (!cache.has(key)) {
    if (cache.size >= MOST_CACHED) cache.delete(cache.keys().next().value ?? "");
    cache.set(key, render(source, block));
  }
  return cache.get(key) ?? null;
}

/** @param {string} source @param {boolean} block */
function render(source, block) {
  if (!loaded || source.length > LONGEST) return null;
  const { katex, toMathMLCore } = loaded;
  try {
    const html = katex.renderToString(source, {
      output: "mathml", displayMode: block, throwOnError: true, trust: false, strict: "ignore",
      maxExpand: 200, maxSize: 20,
    });
    const set = el("span", { class: block ? "math block" : "math" });
    set.append(DOMPurify.sanitize(html, { ...CLEAN, RETURN_DOM_FRAGMENT: true }));
    toMathMLCore(set);
    return set;
  } catch {
    return null;
  }
}
