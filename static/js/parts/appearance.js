/** Colours and density of pages. They are stored with the account; base.html writes them on <html>. */

import { call } from "grokweb/wire/api.js";

/** @typedef {"theme" | "density"} Option */

/** Values that <html> has no attribute for. @type {Record<Option, string>} */
const DEFAULTS = { theme: "system", density: "comfortable" };
const root = document.documentElement;
const tabs = new BroadcastChannel("grokweb.appearance");

/** @param {Option} name @param {string} value */
function show(name, value) {
  if (value === DEFAULTS[name]) delete root.dataset[name];
  else root.dataset[name] = value;
}

/**
 * Wires radio buttons named "theme" and "density" inside `box`. `saved` gets null, or the error because of
 * which the choice holds for this page only.
 * @param {HTMLElement} box @param {(error: Error | null) => void} saved
 */
export function wireAppearance(box, saved) {
  const check = () => {
    /** @type {NodeListOf<HTMLInputElement>} */
    const buttons = box.querySelectorAll("input[type=radio]");
    for (const each of buttons) {
      const name = /** @type {Option} */ (each.name);
      each.checked = each.value === (root.dataset[name] ?? DEFAULTS[name]);
    }
  };
  check();
  addEventListener("pageshow", check); // Firefox and Back restore what was checked before
  box.addEventListener("change", async ({ target }) => {
    const { name, value } = /** @type {HTMLInputElement} */ (target);
    show(/** @type {Option} */ (name), value);
    try {
      await call("PATCH", "/api/profile/", { [name]: value }, { keepalive: true });
      tabs.postMessage({ name, value });
      saved(null);
    } catch (error) {
      saved(/** @type {Error} */ (error));
    }
  });
  tabs.addEventListener("message", ({ data: { name, value } }) => {
    show(name, value);
    check();
  });
}
