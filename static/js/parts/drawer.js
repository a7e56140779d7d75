/** Hides and shows the sidebar: beside the chat on a wide page, as a drawer over it on a narrow one. */

import { readLocal, writeLocal } from "grokweb/base/storage.js";
import { NARROW } from "grokweb/parts/narrow_layout.js";
import { find, UNMARKED } from "grokweb/ui/dom.js";
import { isSomethingOpen } from "grokweb/ui/menu.js";

const COLLAPSED = "grokweb.folded"; // browsers have stored this key since version 0.1.0

/**
 * Wires the buttons that show and hide the sidebar. Returns the function that closes the drawer.
 * @param {HTMLElement} app
 */
export function wireDrawer(app) {
  const narrow = matchMedia(NARROW);
  const main = find("[data-main]", app);
  const collapseButton = find("[data-collapse]", app);
  const expandButton = find("[data-expand]", app);
  const drawer = (/** @type {boolean} */ open) => {
    if (app.classList.contains("drawer") === open) return;
    app.classList.toggle("drawer", open);
    main.inert = open;
    (open ? collapseButton : expandButton).focus(UNMARKED);
  };
  const collapse = (/** @type {boolean} */ collapsed) => {
    app.classList.toggle("collapsed", collapsed);
    writeLocal(COLLAPSED, collapsed ? "1" : "");
    (collapsed ? expandButton : collapseButton).focus(UNMARKED);
  };
  if (readLocal(COLLAPSED)) app.classList.add("collapsed");
  collapseButton.addEventListener("click", () => (narrow.matches ? drawer(false) : collapse(true)));
  expandButton.addEventListener("click", () => (narrow.matches ? drawer(true) : collapse(false)));
  find("[data-backdrop]", app).addEventListener("click", () => drawer(false));
  app.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !app.classList.contains("drawer") || isSomethingOpen()) return;
    event.stopPropagation();
    drawer(false);
  });
  narrow.addEventListener("change", () => drawer(false));
  return () => drawer(false);
}
