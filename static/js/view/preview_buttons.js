/**
 * Buttons that show what a block of code draws: a diagram, or a page. The frame comes with the first one that
 * is opened.
 *
 * @typedef {"diagram" | "preview"} PreviewKind
 */

import { gettext } from "grokweb/base/i18n.js";
import { el, find } from "grokweb/ui/dom.js";

const PAGES = ["html", "htm", "xhtml", "svg"];
const LOOKS_LIKE_PAGE = /^\s*(?:<\?xml[^>]*>\s*)?<(?:svg|html|!doctype html)[\s>]/i;

/** @param {string} name  of the language @param {string} text @returns {PreviewKind | null} */
function kindOf(name, text) {
  if (name === "mermaid") return "diagram";
  const isPage = PAGES.includes(name) || (["", "xml"].includes(name) && LOOKS_LIKE_PAGE.test(text));
  return isPage ? "preview" : null;
}

/**
 * Adds the button to the bar of every block among the nodes that can be shown.
 * @param {ParentNode} nodes
 */
export function addPreviewButtons(nodes) {
  for (const box of /** @type {NodeListOf<HTMLElement>} */ (nodes.querySelectorAll(".code"))) {
    const code = find("code", box);
    const text = code.textContent;
    const kind = kindOf(/language-(\S+)/.exec(code.className)?.[1] ?? "", text);
    if (kind) addButton(box, kind, text);
  }
}

/** @param {HTMLElement} box @param {PreviewKind} kind @param {string} text */
function addButton(box, kind, text) {
  const words = kind === "diagram" ? gettext("Show diagram") : gettext("Show preview");
  const button = el("button", { type: "button" }, words);
  /** @type {(() => void) | null} */
  let close = null;
  const opened = (/** @type {(() => void) | null} */ closing) => {
    close = closing;
    button.textContent = close ? gettext("Show source") : words;
  };
  button.addEventListener("click", async () => {
    if (close) { close(); return; }
    const { openFrame } = await import("grokweb/view/preview_frame.js");
    opened(openFrame(box, kind, text, () => opened(null)));
  });
  find(".code-bar > span", box).after(button);
}
