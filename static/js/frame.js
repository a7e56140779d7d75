/** The frame around the chat: sidebar and drawer, account menu, colours, language. */

import { call } from "grokweb/api.js";
import { wireAppearance } from "grokweb/appearance.js";
import { find } from "grokweb/dom.js";
import { somethingOpen, wireMenu } from "grokweb/menu.js";
import { fill, gettext, number } from "grokweb/words.js";

const FOLDED = "grokweb.folded";
const phone = matchMedia("(max-width: 47.99rem)"); // as in css/chat.css

/** Returns the function that closes the drawer. */
export function wireSidebar(app) {
  const main = find("[data-main]", app);
  const openButton = find("[data-unfold]", app);
  const drawer = (open) => {
    if (app.classList.contains("drawer") === open) return;
    app.classList.toggle("drawer", open);
    main.inert = open;
    (open ? find("[data-fold]", app) : openButton).focus({ focusVisible: false });
  };
  const fold = (folded) => {
    app.classList.toggle("folded", folded);
    try {
      localStorage.setItem(FOLDED, folded ? "1" : "");
    } catch { /* for this page only, then */ }
  };
  try {
    if (localStorage.getItem(FOLDED)) app.classList.add("folded");
  } catch { /* storage is switched off */ }
  find("[data-fold]", app).addEventListener("click", () => {
    if (phone.matches) drawer(false);
    else { fold(true); openButton.focus({ focusVisible: false }); }
  });
  openButton.addEventListener("click", () => {
    if (phone.matches) drawer(true);
    else { fold(false); find("[data-fold]", app).focus({ focusVisible: false }); }
  });
  find("[data-veil]", app).addEventListener("click", () => drawer(false));
  app.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !app.classList.contains("drawer") || somethingOpen()) return;
    event.stopPropagation();
    drawer(false);
  });
  phone.addEventListener("change", () => drawer(false));
  return () => drawer(false);
}

export function wireAccount(app, { usage, kept, leaving }) {
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
  wireAppearance(find("[data-appearance]", menu), kept);
  const language = find("[data-language]", menu);
  language.addEventListener("change", () => {
    language.elements.next.value = location.pathname;
    language.submit();
  });
  find("[data-logout]", menu).addEventListener("submit", leaving);
}

function showUsage(menu, { used, limit }) {
  const box = find("[data-usage]", menu);
  const meter = find("meter", box);
  box.hidden = false;
  find("[data-usage-words]", box).textContent = fill(gettext("%(used)s of %(limit)s tokens today"), { used: number(used), limit: number(limit) });
  meter.max = Math.max(1, limit);
  meter.high = limit * 0.85;
  meter.optimum = 0;
  meter.value = used;
}
