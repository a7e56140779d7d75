/** Reading aloud with the browser's own voice, a sentence at a time, and dictation where the browser has it. */

import { gettext, language } from "grokweb/words.js";

const voice = globalThis.speechSynthesis;
const Recognition = globalThis.SpeechRecognition ?? globalThis.webkitSpeechRecognition;
const LONGEST = 200; // characters a piece: some voices fall silent in longer ones

export const canRead = () => Boolean(voice && globalThis.SpeechSynthesisUtterance);
export const canDictate = () => Boolean(Recognition);

/** The sentences of a text; a sentence without an end is cut between words. */
export function sentences(text, lang = language()) {
  const found = [];
  for (const { segment } of new Intl.Segmenter(lang, { granularity: "sentence" }).segment(text)) {
    let rest = segment.trim();
    while (rest.length > LONGEST) {
      const space = rest.lastIndexOf(" ", LONGEST);
      const at = space > 0 ? space : LONGEST;
      found.push(rest.slice(0, at));
      rest = rest.slice(at).trim();
    }
    if (rest) found.push(rest);
  }
  return found;
}

let reading = null; // {id, changed}

export const isReading = (id) => reading?.id === id;

/** Stops whatever is being read. */
export function stopReading() {
  const stopped = reading;
  reading = null;
  voice?.cancel();
  stopped?.changed(false);
}

/** Reads `text`; `changed(true | false)` when it begins and ends. Another text stops the one before. */
export function readAloud(id, text, changed = () => {}) {
  stopReading();
  const mine = { id, changed };
  reading = mine;
  const rest = sentences(text);
  const next = () => {
    if (reading !== mine) return;
    const words = rest.shift();
    if (words === undefined) { stopReading(); return; }
    const said = new SpeechSynthesisUtterance(words);
    said.lang = language();
    said.onend = next;
    said.onerror = () => { if (reading === mine) stopReading(); };
    voice.speak(said);
  };
  changed(true);
  next();
}

/** Puts a button for dictation before `send`, where the browser can; `add(words)` takes what was said. */
export function wireDictation(button, add, failed) {
  if (!canDictate()) return;
  button.hidden = false;
  let heard = null;
  const show = (on) => {
    button.setAttribute("aria-pressed", String(on));
    button.title = on ? gettext("Stop dictating") : gettext("Dictate");
    button.setAttribute("aria-label", button.title);
  };
  const stop = () => { heard?.stop(); heard = null; show(false); };
  button.addEventListener("click", () => {
    if (heard) { stop(); return; }
    const mine = Object.assign(new Recognition(), { lang: language(), continuous: true, interimResults: false });
    mine.onresult = (event) => {
      for (const result of [...event.results].slice(event.resultIndex)) if (result.isFinal) add(result[0].transcript.trim());
    };
    mine.onerror = (event) => { if (!["no-speech", "aborted"].includes(event.error)) failed(gettext("Dictation does not work here: the browser gave no access to a microphone or a voice service.")); };
    mine.onend = () => { if (heard === mine) stop(); };
    heard = mine;
    mine.start();
    show(true);
  });
}

if (canRead()) addEventListener("pagehide", stopReading);
