/**
 * Permission to read aloud and to take dictation: the operator gives it (GROKWEB_SPEECH), then the person.
 */

/** @typedef {"dictation" | "reading"} SpeechUse */

/** @type {string | null} */
let person = null; // the id of the person who may use it

/**
 * Allows dictation and reading aloud on this page; without it there is neither.
 * @param {string} user  id of the person, who is asked once on each device
 */
export function enableSpeech(user) {
  person = user;
}

export const isSpeechEnabled = () => person !== null;

/**
 * Returns whether the person agrees, and asks where this device does not know.
 * @param {SpeechUse} use
 */
export async function mayUseSpeech(use) {
  return person !== null && (await import("grokweb/view/speech_consent.js")).askConsent(use, person);
}
