/** Keys: those of an input method reach no shortcut, and shortcuts are found on every keyboard layout. */

export const isMac = /Mac|iPhone|iPad/.test(globalThis.navigator?.platform ?? "");

const isAscii = (/** @type {string} */ key) => /^[ -~]$/.test(key);
/** With Alt it is AltGr, which writes. @param {KeyboardEvent} event */
const isCommand = (event) => (event.ctrlKey || event.metaKey) && !event.altKey;

/**
 * Tells whether a key belongs to an input method. Safari ends the composition first: then only keyCode 229
 * says so.
 * @param {{ isComposing: boolean, keyCode: number }} event
 */
export const isComposing = (event) => event.isComposing || event.keyCode === 229;

/**
 * Hides keys of input methods from all fields and shortcuts of the page; call it before any listener is
 * added.
 */
export function hideComposition(page = globalThis) {
  page.addEventListener("keydown", (event) => {
    if (!isComposing(event)) return;
    event.stopImmediatePropagation();
    if (event.key === "Escape" && !event.isComposing) event.preventDefault(); // it would close a dialog
  }, true);
}

/**
 * Returns the Latin letter of a key: the one it writes, or on a layout without Latin letters the one in its
 * place.
 * @param {{ key: string, code: string }} event
 */
export function letter({ key, code }) {
  if (isAscii(key)) return key.toLowerCase();
  return key.length > 2 ? "" : /^Key([A-Z])$/.exec(code)?.[1].toLowerCase() ?? "";
}

/**
 * Layouts write "/" elsewhere, many with Shift; Cyrillic and Hebrew ones have a full stop on its key, Arabic
 * ones a letter.
 * @param {KeyboardEvent} event
 */
const isSlash = ({ key, code, shiftKey }) =>
  key === "/" || (code === "Slash" && !shiftKey && (key === "." || (key.length < 3 && !isAscii(key))));

/** @param {KeyboardEvent} event */
const isQuestionMark = ({ key, code, shiftKey }) =>
  key === "?" || (code === "Slash" && shiftKey && key.length < 3 && !isAscii(key));

/**
 * Returns what a key press asks for. `plain`: keys without Ctrl count too.
 * @param {KeyboardEvent} event @param {boolean} plain
 * @returns {"palette" | "shortcuts" | "new" | ""}
 */
export function shortcut(event, plain) {
  if (isCommand(event)) {
    if (isSlash(event)) return "shortcuts";
    const name = letter(event);
    if (name === "k" && !event.shiftKey) return "palette";
    return name === "o" && event.shiftKey ? "new" : "";
  }
  const isPlain = plain && !event.ctrlKey && !event.metaKey && !event.altKey;
  return isPlain && isQuestionMark(event) ? "shortcuts" : "";
}
