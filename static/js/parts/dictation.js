/** Dictation into the message box, where the browser has it. */

import { gettext, language } from "grokweb/base/i18n.js";
import { isSpeechEnabled, mayUseSpeech } from "grokweb/view/speech.js";

/**
 * The part of the Web Speech API that is used; TypeScript's own library leaves it out.
 * @typedef {any} Recognition
 */

/** @type {(new () => Recognition) | undefined} */
const SpeechRecognition = Reflect.get(globalThis, "SpeechRecognition")
  ?? Reflect.get(globalThis, "webkitSpeechRecognition");
const NO_ERRORS = ["no-speech", "aborted"];

export const canDictate = () => Boolean(isSpeechEnabled() && SpeechRecognition);

/**
 * Shows the button for dictation, where the browser can; `add(words)` gets what was said.
 * @param {HTMLElement | null} button
 * @param {(words: string) => void} add
 * @param {(words: string) => void} failed
 */
export function wireDictation(button, add, failed) {
  if (!button || !SpeechRecognition || !canDictate()) return;
  button.hidden = false;
  /** @type {Recognition | null} */
  let running = null;
  const show = (/** @type {boolean} */ on) => {
    button.setAttribute("aria-pressed", String(on));
    button.title = on ? gettext("Stop dictating") : gettext("Dictate");
    button.setAttribute("aria-label", button.title);
  };
  const stop = () => { running?.stop(); running = null; show(false); };
  button.addEventListener("click", async () => {
    if (running) { stop(); return; }
    if (!(await mayUseSpeech("dictation")) || running) return;
    const options = { lang: language(), continuous: true, interimResults: false };
    const mine = Object.assign(new SpeechRecognition(), options);
    mine.onresult = (/** @type {any} */ event) => {
      for (const result of [...event.results].slice(event.resultIndex)) {
        if (result.isFinal) add(result[0].transcript.trim());
      }
    };
    mine.onerror = (/** @type {any} */ event) => {
      if (NO_ERRORS.includes(event.error)) return;
      failed(gettext("Dictation does not work here: the browser gave no access to a microphone or a voice service."));
    };
    mine.onend = () => { if (running === mine) stop(); };
    running = mine;
    mine.start();
    show(true);
  });
}
