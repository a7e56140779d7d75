/** The settings page: what it keeps at once, without a button. */

import { wireAppearance } from "grokweb/appearance.js";
import { find, showError } from "grokweb/dom.js";
import { gettext } from "grokweb/words.js";

const form = find("[data-appearance]");
const said = find("[role=status]", form);

find(".actions", form).hidden = true;
wireAppearance(form, (error) => {
  said.textContent = error ? "" : gettext("Saved.");
  showError(form, error?.message);
});
