/** Properties of plain text: whether anything can be seen, its length, its letters for comparing. */

// First whatever is neither a control, a format, a space nor a filler; then formats that are drawn (Arabic
// number signs).
const VISIBLE = new RegExp(
  // eslint-disable-next-line no-misleading-character-class -- each stands for itself
  String.raw`[^\p{Cc}\p{Cf}\p{Cs}\p{Z}\p{Default_Ignorable_Code_Point}`
  + String.raw`\p{Noncharacter_Code_Point}\u2800\ufff0-\ufffc`
  + String.raw`\u{1107f}\u{13441}\u{13442}\u{16fe4}\u{1bc9d}\u{1d159}]`
  + String.raw`|[\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\u{110bd}\u{110cd}]`,
  "u",
);

/**
 * Tells whether nothing of `text` can be seen: spaces, controls, joiners, fillers, tags. UNSEEN of
 * chat/core/text.py is the same set.
 * @param {string} text
 */
export const isBlank = (text) => !VISIBLE.test(text);

/**
 * Returns the length in code points, as the server counts it; `.length` counts UTF-16 units.
 * @param {string} text
 */
export function codePoints(text) {
  let n = text.length;
  for (let i = 0; i < text.length - 1; i++) {
    const isPair = (text.charCodeAt(i) & 0xfc00) === 0xd800 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00;
    if (isPair) { n--; i++; }
  }
  return n;
}

/**
 * Returns `words` without accents and capitals, for comparing what people type.
 * @param {string} words
 */
export const folded = (words) => words.normalize("NFD").replace(/[\u0300-\u036f]/g, "").toLowerCase();
