/**
 * ‹ 2/3 ›: switches between the versions of a message.
 *
 * @import { ShownMessage } from "grokweb/wire/objects.js"
 */

import { decimal, number } from "grokweb/base/format.js";
import { fill, gettext } from "grokweb/base/i18n.js";
import { el, icon } from "grokweb/ui/dom.js";
import { effortWords } from "grokweb/view/effort.js";

/**
 * Makes the switch; null for a message without other versions. `open(message, id, button)` shows another one.
 * A click while that takes its time goes on from the version asked for, so that quick clicks all count.
 * @param {ShownMessage} message
 * @param {(message: ShownMessage, id: string, button: string) => Promise<boolean>} open
 */
export function versionSwitch(message, open) {
  const all = message.siblings ?? [];
  const at = all.indexOf(message.id);
  if (all.length < 2 || at < 0) return null;
  let asked = at;
  const step = (/** @type {string} */ name, /** @type {string} */ words, /** @type {number} */ by) => {
    const attributes = { type: "button", "aria-label": words, title: words, "data-version": name };
    const button = el("button", attributes, icon(name));
    button.disabled = !all[at + by];
    button.addEventListener("click", async () => {
      const to = asked + by;
      if (!all[to]) return;
      asked = to;
      await open(message, all[to], name);
      if (asked === to) asked = at; // it is drawn anew with that version, or that failed
    });
    return button;
  };
  const values = { n: number(at + 1), all: number(all.length) };
  return el(
    "span",
    { class: "versions", role: "group", "aria-label": gettext("Versions of this message") },
    step("left", gettext("Previous version"), -1),
    el("span", { class: "place" }, fill(gettext("%(n)s of %(all)s"), values)),
    step("right", gettext("Next version"), 1),
    differences(message.differs),
  );
}

/** Words for each option of a reply. @type {Record<string, (value: any) => string>} */
const OPTIONS = {
  model: (name) => name,
  persona: (name) => name || gettext("No persona"),
  temperature: (n) => fill(gettext("Temperature %(n)s"), { n: decimal(n) }),
  top_p: (n) => fill(gettext("Top-p %(n)s"), { n: decimal(n) }),
  top_k: (n) => fill(gettext("Top-k %(n)s"), { n: decimal(n) }),
  min_p: (n) => fill(gettext("Min-p %(n)s"), { n: decimal(n) }),
  repetition: (n) => fill(gettext("Repetition penalty %(n)s"), { n: decimal(n) }),
  effort: (effort) => fill(gettext("Thinking: %(effort)s"), { effort: effortWords(effort) }),
  max_new_tokens: (n) => fill(gettext("at most %(n)s tokens"), { n: decimal(n) }),
};

/**
 * Makes a line of the options that an answer was asked with and the others in its place were not; null
 * without any.
 * @param {Record<string, any>} [options]
 */
function differences(options = {}) {
  const names = Object.keys(OPTIONS).filter((name) => name in options);
  const words = names.map((name) => OPTIONS[name](options[name])).join(" · ");
  return words ? el("span", { class: "differs", dir: "auto", title: words }, words) : null;
}
