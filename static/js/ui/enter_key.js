/**
 * Tells whether Enter sends. On phones it begins a line, as their keyboards have no Shift+Enter, and the
 * button sends; the settings page can reverse either, for this device.
 */

import { readLocal, writeLocal } from "grokweb/base/storage.js";

const KEY = "grokweb.enter"; // "send", "line", or nothing
const PHONE = "(hover: none) and (pointer: coarse)";

export const isPhone = () => Boolean(globalThis.matchMedia?.(PHONE).matches);

export const enterSends = () => (isPhone() ? readLocal(KEY) === "send" : readLocal(KEY) !== "line");

/** @param {boolean} sends */
export const setEnterSends = (sends) => writeLocal(KEY, sends ? "send" : "line");

/**
 * Tells whether this press of Enter sends what is written; with Ctrl or Command it always does.
 * @param {KeyboardEvent} event
 */
export const isSendKey = (event) =>
  event.key === "Enter" && !event.shiftKey && (enterSends() || event.ctrlKey || event.metaKey);
