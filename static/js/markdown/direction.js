/** The direction of words, by their first letter. chat/sharing/direction.py finds the same one. */

/** @import { Tokens } from "vendor/marked.js" */

const RIGHT_TO_LEFT = /[\u0590-\u08FF\uFB1D-\uFDFF\uFE70-\uFEFC\u{10800}-\u{10FFF}\u{1E800}-\u{1EFFF}]/u;
const NO_WORDS = new Set([ // always left to right
  "code", "codespan", "mathInline", "mathBlock", "def", "space", "br", "checkbox", "noteReference",
]);

/** @param {Tokens.Generic} token @returns {Tokens.Generic[] | undefined} */
const parts = (token) => {
  if (token.type === "list") return token.items;
  if (token.type === "table") return [...token.header, ...token.rows.flat()];
  return token.tokens;
};

/**
 * Returns the first letter of the words in tokens, or undefined; letters of code and formulas do not count.
 * @param {Tokens.Generic[]} tokens
 * @returns {string | undefined}
 */
function firstLetter(tokens) {
  for (const token of tokens) {
    if (NO_WORDS.has(token.type)) continue;
    if (token.type === "image") return "I"; // its label begins with a word of the page's language
    const within = parts(token);
    const text = (token.text ?? "").replace(/&#?\w+;/g, "");
    const found = within ? firstLetter(within) : /\p{L}/u.exec(text)?.[0];
    if (found) return found;
  }
  return undefined;
}

/**
 * Returns ` dir="auto"` for a block of words; "" without a letter, so that a number stands where its list or
 * table begins.
 * @param {Tokens.Generic[]} tokens
 */
export const dirOfWords = (tokens) => (firstLetter(tokens) ? ' dir="auto"' : "");

/**
 * Returns ` dir="rtl"` or ` dir="ltr"` for what holds blocks: a browser ignores blocks with a direction of
 * their own.
 * @param {Tokens.Generic[]} tokens
 */
export function dirOfBlocks(tokens) {
  const letter = firstLetter(tokens);
  return letter ? ` dir="${RIGHT_TO_LEFT.test(letter) ? "rtl" : "ltr"}"` : "";
}
