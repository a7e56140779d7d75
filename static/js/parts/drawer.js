/** The sidebar's place: folded away on a wide page, a drawer over a narrow one. */

import { readLocal, writeLocal } from "grokweb/base/storage.js";
import { NARROW } from "grokweb/parts/narrow_layout.js";
import { find, UNMARKED } from "grokweb/ui/dom.js";
import { isSomethingOpen } from "grokweb/ui/menu.js";

const FOLDED = "grokweb.folded";

/**
 * Wires the buttons that show and hide the sidebar. Returns the function that closes the drawer.
 * @param {HTMLElement} app
 */
export function wireDrawer(app) {
  const narrow = matchMedia(NARROW);
  const main = find("[data-main]", app);
  const foldButton = find("[data-fold]", app);
  const unfoldButton = find("[data-unfold]", app);
  const drawer = (/** @type {boolean} */ open) => {
    if (app.classList.contains("drawer") === open) return;
    app.classList.toggle("drawer", open);
    main.inert = open;
    (open ? foldButton : unfoldButton).focus(UNMARKED);
  };
  const fold = (/** @type {boolean} */ folded) => {
    app.classList.toggle("folded", folded);
    writeLocal(FOLDED, folded ? "1" : "");
    (folded ? unfoldButton : foldButton).focus(UNMARKED);
  };
  if (readLocal(FOLDED)) app.classList.add("folded");
  foldButton.addEventListener("click", () => (narrow.matches ? drawer(false) : fold(true)));
  unfoldButton.addEventListener("click", () => (narrow.matches ? drawer(true) : fold(false)));
  find("[data-veil]", app).addEventListener("click", () => drawer(false));
  app.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !app.classList.contains("drawer") || isSomethingOpen()) return;
    event.stopPropagation();
    drawer(false);
  });
  narrow.addEventListener("change", () => drawer(false));
  return () => drawer(false);
}
