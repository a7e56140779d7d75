/** The settings page: choices that are stored at once, without a button. */

import { gettext } from "grokweb/base/i18n.js";
import { wireAppearance } from "grokweb/parts/appearance.js";
import { wirePushSwitch } from "grokweb/parts/push_switch.js";
import { find, showError } from "grokweb/ui/dom.js";
import { enterSends, setEnterSends } from "grokweb/ui/enter_key.js";

const form = find("[data-appearance]");
const said = find("[role=status]", form);

find(".actions", form).hidden = true;
wireAppearance(form, (error) => {
  said.textContent = error ? "" : gettext("Saved.");
  showError(form, error?.message);
});

const writing = find("#writing");
const enter = find("input", writing);
writing.hidden = false;
enter.checked = enterSends();
enter.addEventListener("change", () => {
  setEnterSends(enter.checked);
  find("[role=status]", writing).textContent = gettext("Saved.");
});

const notifications = /** @type {HTMLElement | null} */ (document.querySelector("[data-push]"));
if (notifications) wirePushSwitch(notifications);
