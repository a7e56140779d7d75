/**
 * The account menu below the sidebar: today's use, colours, language, logging out.
 *
 * @import { DailyUsage } from "grokweb/wire/objects.js"
 */

import { number } from "grokweb/base/format.js";
import { fill, gettext } from "grokweb/base/i18n.js";
import { wireAppearance } from "grokweb/parts/appearance.js";
import { find } from "grokweb/ui/dom.js";
import { wireMenu } from "grokweb/ui/menu.js";
import { call } from "grokweb/wire/api.js";

/**
 * @param {HTMLElement} app
 * @param {object} options
 * @param {DailyUsage | null} options.usage
 * @param {(error: Error | null) => void} options.saved  called when the appearance was stored, or could not
 *   be
 * @param {() => void} options.loggingOut
 */
export function wireAccountMenu(app, { usage, saved, loggingOut }) {
  const menu = find("#account-menu", app);
  wireMenu(find("[data-menu]", app), menu, {
    above: true,
    opened: async () => {
      try {
        showUsage(menu, await call("GET", "/api/usage/"));
      } catch { /* the line keeps what it showed before */ }
    },
  });
  if (usage) showUsage(menu, usage);
  wireAppearance(find("[data-appearance]", menu), saved);
  const language = /** @type {HTMLFormElement} */ (find("[data-language]", menu));
  language.addEventListener("change", () => {
    /** @type {HTMLInputElement} */ (language.elements.namedItem("next")).value = location.pathname;
    language.submit();
  });
  find("[data-logout]", menu).addEventListener("submit", loggingOut);
}

/** @param {HTMLElement} menu @param {DailyUsage} usage */
function showUsage(menu, { used, limit }) {
  const box = find("[data-usage]", menu);
  const meter = find("meter", box);
  const values = { used: number(used), limit: number(limit) };
  box.hidden = false;
  find("[data-usage-text]", box).textContent = fill(gettext("%(used)s of %(limit)s tokens today"), values);
  meter.max = Math.max(1, limit);
  meter.high = limit * 0.85;
  meter.optimum = 0;
  meter.value = used;
}
