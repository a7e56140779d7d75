/** The line that says that a demo model answers. A person who has closed it does not see it again. */

import { readLocal, writeLocal } from "grokweb/base/storage.js";
import { find, UNMARKED } from "grokweb/ui/dom.js";

/**
 * Returns the function that shows or hides the line: show(whether a demo model answers).
 * @param {HTMLElement | null} banner @param {string} user
 * @returns {(isDemo: boolean) => void}
 */
export function wireDemoBanner(banner, user) {
  if (!banner) return () => {};
  const key = `grokweb.${user}.demo`;
  let closed = readLocal(key) === "closed";
  let isDemo = false;
  const show = (/** @type {boolean} */ on) => {
    isDemo = on;
    banner.hidden = closed || !isDemo;
  };
  find(".icon-button", banner).addEventListener("click", () => {
    closed = true;
    show(isDemo);
    writeLocal(key, "closed");
    find("#text").focus(UNMARKED);
  });
  return show;
}
