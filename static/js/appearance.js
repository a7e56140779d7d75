/** How pages look: colours and density. Kept with the account; base.html writes them on <html> before the first paint. */

import { call } from "grokweb/api.js";

const AS_IT_IS = { theme: "system", density: "comfortable" }; // <html> says nothing of these
const root = document.documentElement;
const tabs = new BroadcastChannel("grokweb.appearance");

const current = (name) => root.dataset[name] ?? AS_IT_IS[name];

function show(name, value) {
  if (value === AS_IT_IS[name]) delete root.dataset[name];
  else root.dataset[name] = value;
}

/** Radio buttons named "theme" and "density" inside `box`. `saved` hears null, or the error that kept it for this page only. */
export function wireAppearance(box, saved) {
  const check = () => {
    for (const input of box.querySelectorAll("input[type=radio]")) input.checked = input.value === current(input.name);
  };
  check();
  addEventListener("pageshow", check); // Firefox and Back restore what was checked before
  box.addEventListener("change", async ({ target: { name, value } }) => {
    show(name, value);
    try {
      await call("PATCH", "/api/profile/", { [name]: value }, { keepalive: true });
      tabs.postMessage({ name, value });
      saved(null);
    } catch (error) {
      saved(error);
    }
  });
  tabs.addEventListener("message", ({ data: { name, value } }) => {
    show(name, value);
    check();
  });
}
