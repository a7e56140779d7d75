/**
 * An answer as HTML for other programs: its headings, lists, tables and code, without our buttons and
 * classes.
 */

import DOMPurify from "vendor/dompurify.js";
import { el } from "grokweb/ui/dom.js";

const CLEAN = {
  USE_PROFILES: { html: true, mathMl: true },
  FORBID_TAGS: ["button", "form", "iframe", "img", "input", "style", "svg"],
  FORBID_ATTR: ["class", "style", "id", "rel", "tabindex", "target"],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
};
const PAGE_ONLY = ".code-bar, button, iframe, .sr-only, [hidden]";

/** @typedef {"h1" | "h2" | "h3" | "h4" | "h5"} HeadingTag */

/**
 * Returns the HTML of `body`, the painted answer, which stays as it is.
 * @param {HTMLElement} body
 */
export function portableHtml(body) {
  const copy = /** @type {HTMLElement} */ (body.cloneNode(true));
  for (const node of copy.querySelectorAll(PAGE_ONLY)) node.remove();
  // Parsed again, a style attribute would break the CSP.
  for (const node of copy.querySelectorAll("[style]")) node.removeAttribute("style");
  for (const code of copy.querySelectorAll("pre code")) code.textContent = code.textContent.replace(/\n$/, "");
  for (const frame of copy.querySelectorAll(".code, .table")) frame.replaceWith(...frame.childNodes);
  // The page's own title is the h1, so that markdown.js begins with h2.
  for (const heading of copy.querySelectorAll("h2, h3, h4, h5, h6")) {
    const tag = /** @type {HeadingTag} */ (`h${Number(heading.localName[1]) - 1}`);
    heading.replaceWith(el(tag, { dir: heading.getAttribute("dir") }, ...heading.childNodes));
  }
  // other programs do not know our classes
  for (const table of copy.querySelectorAll("table")) table.border = "1";
  return DOMPurify.sanitize(copy.innerHTML, CLEAN);
}
