/**
 * Addresses among words: where one begins and where it ends. chat/sharing/addresses.py finds the same ones.
 * They end before signs that are not ASCII, and before letters that are written without spaces between words.
 */

const UNSPACED = "\\u0E00-\\u0EFF\\u1000-\\u11FF\\u1780-\\u17FF\\u2E80-\\uA4CF\\uA960-\\uA97F\\uAC00-\\uD7FF"
  + "\\uF900-\\uFAFF\\uFE30-\\uFE4F\\uFF00-\\uFFEF\\u{1B000}-\\u{1B16F}\\u{20000}-\\u{3FFFF}";
const LETTER = "[\\p{L}\\p{M}\\p{N}]";
const BEGUN = new RegExp(
  String.raw`^(?:(https?:\/\/)(?:[\w.~%!$&'*+,;=:-]{1,200}@)?|(www\.))`
  + String.raw`([a-z0-9_-]+(?:\.[a-z0-9_-]+)*)(?::\d{1,5})?`,
  "i",
);
const REST = new RegExp(`^[/?#](?:[!#-;=?-\\[\\]^_a-~]|\u2013|(?![\\x00-\\x7F${UNSPACED}])${LETTER})*`, "u");
const LETTER_NEXT = new RegExp(`^(\\.?)(?![\\x00-\\x7F])${LETTER}`, "u");
const UNSPACED_NEXT = new RegExp(`^[${UNSPACED}]`, "u");
const MAIL = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z0-9]+(?![\w-])/;
const AFTER = "?!.,:;*_~']\u2013"; // at the end of an address these belong to the sentence

/** @param {string} address */
function trimmed(address) {
  let end = address.length;
  let unopened = address.split(")").length - address.split("(").length;
  for (; AFTER.includes(address[end - 1]) || (address[end - 1] === ")" && unopened > 0); end -= 1) {
    if (address[end - 1] === ")") unopened -= 1;
  }
  return address.slice(0, end);
}

/**
 * Tells whether the host goes on in letters that are not ASCII: cut there, the address would lead elsewhere.
 * @param {string} host @param {string} after
 */
function goesOn(host, after) {
  const found = LETTER_NEXT.exec(after);
  return found !== null && (found[1] === "." || !UNSPACED_NEXT.test(after) || !host.includes("."));
}

/**
 * Returns the address at the beginning of `src`, or null. `before` is the character in front of it.
 * @param {string} src @param {string} [before]
 */
export function addressAt(src, before = "") {
  const mail = /[A-Za-z0-9.+-]/.test(before) ? null : MAIL.exec(src);
  if (mail) return { raw: mail[0], href: `mailto:${mail[0]}` };
  const [begun, scheme, bare, host] = BEGUN.exec(src) ?? [];
  if (!begun || (bare ? /[^\s*_~(]/ : /\w/).test(before)) return null;
  const after = src.slice(begun.length);
  if (goesOn(host, after)) return null;
  const raw = trimmed(begun + (REST.exec(after)?.[0] ?? ""));
  return raw.length > (scheme ?? bare).length ? { raw, href: bare ? `http://${raw}` : raw } : null;
}
