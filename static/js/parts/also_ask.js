/**
 * The button under the message box that asks a second model the next question, too.
 *
 * @import { SettingsBar } from "grokweb/parts/settings_bar.js"
 */

import { fill, gettext } from "grokweb/base/i18n.js";
import { anchorFor } from "grokweb/parts/narrow_layout.js";
import { stateOf } from "grokweb/parts/settings_bar.js";
import { openChoices } from "grokweb/ui/choice_menu.js";
import { find } from "grokweb/ui/dom.js";

export class AlsoAsk {
  /** @param {HTMLButtonElement} button @param {SettingsBar} settingsBar  which knows the models */
  constructor(button, settingsBar) {
    this.button = button;
    this.settingsBar = settingsBar;
    /** @type {string | null} */
    this.slug = null;
    button.addEventListener("click", () => this.offer());
    this.draw();
  }

  async offer() {
    await this.settingsBar.refreshModels(this.button);
    const choices = this.settingsBar.models.map((each) => ({
      value: each.slug, name: each.name, about: each.about, state: stateOf(each),
      off: each.retired || (each.running === false && !each.starting),
    }));
    const none = { value: null, name: gettext("No second model"), about: gettext("One answer, as usual.") };
    openChoices(anchorFor(this.button), {
      label: gettext("Also ask…"),
      choices: [none, ...choices],
      chosen: this.slug,
      pick: (slug) => this.choose(slug),
    });
  }

  /** @param {string | null} slug */
  choose(slug) {
    this.slug = slug;
    this.draw();
  }

  /** Returns the second model for a question that is sent now; the next question has none. */
  take() {
    const { slug } = this;
    this.choose(null);
    return slug ?? undefined;
  }

  draw() {
    this.button.hidden = this.settingsBar.models.length < 2;
    const name = this.settingsBar.models.find((each) => each.slug === this.slug)?.name ?? this.slug ?? "";
    const words = this.slug ? fill(gettext("Also asks %(model)s"), { model: name }) : gettext("Also ask…");
    find("b", this.button).textContent = words;
    this.button.classList.toggle("chosen", this.slug !== null);
  }
}
