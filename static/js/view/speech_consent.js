/**
 * Explains once, before dictation or reading aloud, that the browser's own service may send what it gets
 * elsewhere.
 *
 * @import { SpeechUse } from "grokweb/view/speech.js"
 */

import { gettext } from "grokweb/base/i18n.js";
import { readLocal, writeLocal } from "grokweb/base/storage.js";
import { el, wireDialog } from "grokweb/ui/dom.js";

/** @type {Record<SpeechUse, () => [title: string, words: string]>} */
const WORDS = {
  dictation: () => [
    gettext("Dictation by your browser"),
    gettext("Your browser turns speech into text with a service of its own. Many browsers send what you say to their maker for that. This site gets the text only."),
  ],
  reading: () => [
    gettext("Reading aloud by your browser"),
    gettext("Your browser reads with a service of its own. Some voices send the text of the answer to the browser's maker for that."),
  ],
};
/** @type {Set<string>} */
const agreed = new Set(); // for browsers that store nothing

/**
 * Returns whether this person agrees; asks once on each device.
 * @param {SpeechUse} use @param {string} user
 * @returns {Promise<boolean>}
 */
export function askConsent(use, user) {
  const key = `grokweb.${user}.${use}`;
  if (agreed.has(key) || readLocal(key) === "yes") return Promise.resolve(true);
  const [title, words] = WORDS[use]();
  const cancel = el("button", { class: "button plain", type: "button", "data-close": true }, gettext("Cancel"));
  const go = el("button", { class: "button primary", type: "button" }, gettext("Continue"));
  const dialog = wireDialog(el(
    "dialog", { "aria-labelledby": "consent-title", "aria-describedby": "consent-words" },
    el("div", { class: "stack" },
      el("h2", { id: "consent-title" }, title),
      el("p", { id: "consent-words" }, words),
      el("div", { class: "actions" }, cancel, go)),
  ));
  return new Promise((answer) => {
    go.addEventListener("click", () => {
      agreed.add(key);
      writeLocal(key, "yes");
      dialog.close("yes");
    });
    dialog.addEventListener("close", () => { dialog.remove(); answer(dialog.returnValue === "yes"); });
    document.body.append(dialog);
    dialog.showModal();
  });
}
