/**
 * On narrow pages the model stands at the top, and one menu under the box has persona, settings and prompts.
 */

import { fill, gettext } from "grokweb/base/i18n.js";
import { find } from "grokweb/ui/dom.js";
import { openMenu } from "grokweb/ui/menu.js";

export const NARROW = "(max-width: 47.99rem)"; // as in css/chat.css

/**
 * Returns the button that a menu opens beside: a narrow page hides the menu's own.
 * @param {HTMLElement} button
 */
export const anchorFor = (button) => (button.offsetParent ? button : find("[data-options]"));

/**
 * @param {HTMLElement} row @param {HTMLElement} heading
 * @param {() => string} personaName  of the one that is chosen
 */
export function wireNarrowLayout(row, heading, personaName) {
  const narrow = matchMedia(NARROW);
  const model = find("[data-model]", row);
  const options = find("[data-options]", row);
  const persona = find("[data-persona]", row);
  const sampling = find("[data-sampling]", row);
  const prompts = find("[data-prompts]", row);
  const arrange = () => (narrow.matches ? heading.append(model) : row.prepend(model));
  arrange();
  narrow.addEventListener("change", arrange);
  const also = find("[data-also]", row);
  options.addEventListener("click", () => openMenu(options, [
    { name: "chat", words: fill(gettext("Persona: %(name)s"), { name: personaName() }), run: () => persona.click() },
    { name: "settings", words: gettext("Settings of the answers"), run: () => sampling.click() },
    { name: "text", words: gettext("Prompts"), run: () => prompts.click() },
    ...(also.hidden ? [] : [
      { name: "again", words: gettext("Also ask…"), run: () => also.click() },
    ]),
  ]));
}
