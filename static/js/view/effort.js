/** Words for how much a model is asked to think (`contract.EFFORTS`). */

import { gettext } from "grokweb/base/i18n.js";

/** @type {Record<string, () => string>} */
export const EFFORTS = {
  off: () => gettext("off"),
  low: () => gettext("low"),
  medium: () => gettext("medium"),
  high: () => gettext("high"),
};

/** @param {string} effort */
export const effortWords = (effort) => EFFORTS[effort]?.() ?? effort;
