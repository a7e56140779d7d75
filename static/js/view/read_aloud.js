/** Reads answers aloud with the browser's own voices, a sentence at a time. */

import { language } from "grokweb/base/i18n.js";
import { isSpeechEnabled, mayUseSpeech } from "grokweb/view/speech.js";

const synthesis = globalThis.speechSynthesis;
const LONGEST = 200; // characters of a piece: some voices fall silent in longer ones

export const canRead = () => Boolean(isSpeechEnabled() && synthesis && globalThis.SpeechSynthesisUtterance);

/**
 * Returns the sentences of a text; a sentence that is too long is cut between words.
 * @param {string} text
 */
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

/** @type {{ id: string } | null} */
let reading = null;

/** @param {string} id  of a message */
export const isReading = (id) => reading?.id === id;

/** Stops whatever is being read. */
export function stopReading() {
  reading = null;
  synthesis?.cancel();
}

/**
 * Reads `text` in its own language; another text stops the one before.
 * @param {string} id  of its message @param {string} text
 */
export async function readAloud(id, text) {
  const [{ languageOf, voiceFor }, may] = await Promise.all([
    import("grokweb/view/speech_language.js"), mayUseSpeech("reading"),
  ]);
  if (!may) return;
  stopReading();
  const mine = { id };
  reading = mine;
  const lang = languageOf(text, language());
  const voice = voiceFor(lang, synthesis.getVoices?.() ?? []);
  const rest = sentences(text, lang);
  const next = () => {
    if (reading !== mine) return;
    const words = rest.shift();
    if (words === undefined) { stopReading(); return; }
    const said = new SpeechSynthesisUtterance(words);
    said.lang = voice?.lang ?? lang;
    if (voice) said.voice = voice;
    said.onend = next;
    said.onerror = () => { if (reading === mine) stopReading(); };
    synthesis.speak(said);
  };
  next();
}

if (synthesis) addEventListener("pagehide", stopReading);
