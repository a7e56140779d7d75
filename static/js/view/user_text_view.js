/** Draws what a person typed: code blocks and inline code; everything else as it was typed. */

import { parts, spans } from "grokweb/markdown/user_text.js";
import { el } from "grokweb/ui/dom.js";

/**
 * Returns the text as nodes, not yet decorated.
 * @param {string} text
 */
export function userTextNodes(text) {
  const nodes = document.createDocumentFragment();
  for (const part of parts(text)) {
    if ("code" in part) {
      const name = part.lang ? `language-${part.lang}` : null;
      nodes.append(el("pre", {}, el("code", { class: name, dir: "ltr" }, part.code)));
    } else {
      const inline = spans(part.words).map((each) =>
        (typeof each === "string" ? each : el("code", { dir: "ltr" }, each.code)));
      nodes.append(el("div", { class: "words" }, ...inline));
    }
  }
  return nodes;
}
