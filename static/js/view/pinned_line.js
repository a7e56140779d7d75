/** The line below a pinned message. */

import { gettext } from "grokweb/base/i18n.js";
import { el, icon } from "grokweb/ui/dom.js";

/** @returns {HTMLElement} */
export const pinnedLine = () =>
  el("p", { class: "pinned", hidden: true }, icon("pin"), gettext("Pinned: the model always reads it."));
