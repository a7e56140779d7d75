/**
 * Makes KaTeX's MathML fit MathML Core, which has dropped the attributes for sides, gaps and lines of tables,
 * `menclose` and most of `mathvariant`: browsers that follow it show none of them. Classes take their place
 * (css/markdown.css), and letters of another alphabet become characters of that alphabet.
 */

/** @param {Element} node @param {string} name */
const words = (node, name) => (node.getAttribute(name) ?? "").split(" ").filter(Boolean);
/** The last word holds for all columns that follow. @param {string[]} list @param {number} i */
const at = (list, i) => list[Math.min(i, list.length - 1)];
const SIDES = ["left", "center", "right"];
const LINES = ["solid", "dashed"];
/** @type {Record<string, string>} */
const TURNED = { top: "left", bottom: "right", left: "top", right: "bottom" };

/**
 * KaTeX gives numbered rows cells for glue and number with nothing in them: they only shift the columns.
 * @param {Element} table
 */
function dropFillers(table) {
  for (const cell of table.querySelectorAll(":scope > mtr > mtd:empty")) cell.remove();
}

/**
 * @param {Element} cell @param {number} column
 * @param {{ sides: string[], gaps: string[], lines: string[] }} attributes  of the table
 */
function markCell(cell, column, { sides, gaps, lines }) {
  const side = at(sides, column);
  const before = column > 0 ? at(gaps, column - 1) : "0em";
  const after = cell.nextElementSibling ? at(gaps, column) : "0em";
  const line = cell.nextElementSibling ? at(lines, column) : "";
  if (SIDES.includes(side)) cell.classList.add(`to-${side}`);
  if (before === "0em") cell.classList.add("joins-left");
  if (after === "0em") cell.classList.add("joins-right");
  if (LINES.includes(line)) cell.classList.add("line-right", line);
}

/** @param {Element} table */
function markTable(table) {
  dropFillers(table);
  const attributes = {
    sides: words(table, "columnalign"),
    gaps: words(table, "columnspacing"),
    lines: words(table, "columnlines"),
  };
  const below = words(table, "rowlines");
  [...table.children].forEach((row, number) => {
    [...row.children].forEach((cell, column) => markCell(cell, column, attributes));
    const line = row.nextElementSibling ? at(below, number) : "";
    if (LINES.includes(line)) row.classList.add("line-below", line);
  });
}

/**
 * KaTeX 0.19 names the edges of a table as if it lay on its side.
 * @param {Element} frame
 */
function markFrame(frame) {
  const table = frame.childElementCount === 1 && frame.firstElementChild?.localName === "mtable";
  for (const name of words(frame, "notation")) frame.classList.add(`with-${(table && TURNED[name]) || name}`);
}

// Where the letters A, a and the digit 0 of each alphabet begin in Unicode.
/** @type {Record<string, number[]>} */
const ALPHABETS = {
  bold: [0x1d400, 0x1d41a, 0x1d7ce], "bold-italic": [0x1d468, 0x1d482], script: [0x1d49c, 0x1d4b6],
  "bold-script": [0x1d4d0, 0x1d4ea], fraktur: [0x1d504, 0x1d51e],
  "double-struck": [0x1d538, 0x1d552, 0x1d7d8],
  "bold-fraktur": [0x1d56c, 0x1d586], "sans-serif": [0x1d5a0, 0x1d5ba, 0x1d7e2],
  "bold-sans-serif": [0x1d5d4, 0x1d5ee, 0x1d7ec], "sans-serif-italic": [0x1d608, 0x1d622],
  "sans-serif-bold-italic": [0x1d63c, 0x1d656], monospace: [0x1d670, 0x1d68a, 0x1d7f6],
};
/** @type {Record<string, number[]>} */
const GREEK = { bold: [0x1d6a8, 0x1d6c2], "bold-italic": [0x1d71c, 0x1d736] }; // from capital and small alpha
// Letters that Unicode had before it had their alphabets.
/** @type {Record<string, Record<string, string>>} */
const OLDER = {
  script: { B: "ℬ", E: "ℰ", F: "ℱ", H: "ℋ", I: "ℐ", L: "ℒ", M: "ℳ", R: "ℛ", e: "ℯ", g: "ℊ", o: "ℴ" },
  fraktur: { C: "ℭ", H: "ℌ", I: "ℑ", R: "ℜ", Z: "ℨ" },
  "double-struck": { C: "ℂ", H: "ℍ", N: "ℕ", P: "ℙ", Q: "ℚ", R: "ℝ", Z: "ℤ" },
};
const FIRST = ["A", "a", "0"].map((each) => each.charCodeAt(0));
const COUNT = [26, 26, 10];

/** @param {string} char @param {string} variant */
function letter(char, variant) {
  if (OLDER[variant]?.[char]) return OLDER[variant][char];
  const code = char.codePointAt(0) ?? 0;
  const kind = FIRST.findIndex((first, i) => code >= first && code < first + COUNT[i]);
  const begin = ALPHABETS[variant][kind];
  if (begin) return String.fromCodePoint(begin + code - FIRST[kind]);
  const greek = GREEK[variant];
  if (greek && code >= 0x391 && code <= 0x3a9) return String.fromCodePoint(greek[0] + code - 0x391);
  if (greek && code >= 0x3b1 && code <= 0x3c9) return String.fromCodePoint(greek[1] + code - 0x3b1);
  return char;
}

/** @param {Element} node */
function setLetters(node) {
  const variant = node.getAttribute("mathvariant") ?? "";
  if (!Object.hasOwn(ALPHABETS, variant) || node.childElementCount) return;
  node.textContent = [...node.textContent].map((each) => letter(each, variant)).join("");
  node.setAttribute("mathvariant", "normal"); // no second change by browsers that know the attribute
}

/**
 * An arrow that combines with the letter before it stands beside that letter where it is alone.
 * @param {Element} accent
 */
function setArrows(accent) {
  if (accent.textContent !== "\u20d7") return;
  accent.textContent = "→";
  accent.classList.add("vector");
}

/**
 * Changes one formula in place.
 * @param {Element} root
 */
export function toMathMLCore(root) {
  root.querySelectorAll("mtable").forEach(markTable);
  root.querySelectorAll("menclose").forEach(markFrame);
  root.querySelectorAll("[mathvariant]").forEach(setLetters);
  root.querySelectorAll("mover > mo:last-child").forEach(setArrows);
}
