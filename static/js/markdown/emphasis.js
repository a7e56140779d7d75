/**
 * `*`, `_` and `~~` by CommonMark's algorithm, relaxed beside Chinese, Japanese and Korean, which have no
 * spaces between words. chat/sharing/emphasis.py pairs the same marks. A single `~` is a sign like any other.
 *
 * @import { Tokens } from "vendor/marked.js"
 *
 * @typedef {object} Mark  `*`, `_` or `~~`
 * @property {string} sign
 * @property {number} length  of its run; 0 for `~~`
 * @property {number} node  index of the node that stands for it
 * @property {number} end  index of the mark that ends what it begins, -1 without
 * @property {boolean} open  may begin emphasis
 * @property {boolean} close  may end emphasis
 *
 * @typedef {{ type?: string, opens?: boolean, width: number }} Turn  emphasis that begins or ends here
 */

const UNSPACED = new RegExp(
  String.raw`[\u1100-\u11FF\u2E80-\uA4CF\uA960-\uA97F\uAC00-\uD7FF\uF900-\uFAFF\uFE30-\uFE4F\uFF00-\uFFEF`
  + String.raw`\u{1B000}-\u{1B16F}\u{20000}-\u{3FFFF}]`,
  "u",
);
const SPACE = /[\t-\r\p{Zs}]/u;
const SIGN = /[\p{P}\p{S}]/u;

/** @type {import("vendor/marked.js").TokenizerAndRendererExtension} */
export const delimiter = {
  name: "delimiter",
  level: "inline",
  tokenizer(src) {
    const raw = /^(?:\*+|_+|~{2,})/.exec(src)?.[0];
    return raw ? { type: "delimiter", raw, text: raw } : undefined;
  },
  renderer: ({ raw }) => raw, // resolve() has replaced it
};

/**
 * Tells whether a run of marks may begin and end emphasis.
 * @param {string} before @param {string} after  the characters beside it @param {boolean} splitsWords
 */
function flanking(before, after, splitsWords) {
  const loose = (/** @type {string} */ other) =>
    SPACE.test(other) || SIGN.test(other) || UNSPACED.test(other);
  const strict = (/** @type {string} */ char) => SIGN.test(char) && !UNSPACED.test(char);
  const left = !SPACE.test(after) && (!strict(after) || loose(before));
  const right = !SPACE.test(before) && (!strict(before) || loose(after));
  return {
    open: left && (splitsWords || !right || SIGN.test(before)),
    close: right && (splitsWords || !left || SIGN.test(after)),
  };
}

const firstOf = (/** @type {string} */ text) => String.fromCodePoint(text.codePointAt(0) ?? 0);
const lastOf = (/** @type {string} */ text) => (/[\uDC00-\uDFFF]$/.test(text) ? text.slice(-2) : text.slice(-1));
const textOf = (/** @type {string} */ raw) => ({ type: "text", raw, text: raw, escaped: false });

/**
 * Splits runs into marks; each has a node that stands for it.
 * @param {Tokens.Generic[]} tokens
 */
function split(tokens) {
  /** @type {Mark[]} */
  const marks = [];
  /** @type {Tokens.Generic[]} */
  const nodes = [];
  tokens.forEach((token, i) => {
    if (token.type !== "delimiter") { nodes.push(token); return; }
    const sign = token.raw[0];
    const before = i ? lastOf(tokens[i - 1].raw) : " ";
    const after = i + 1 < tokens.length ? firstOf(tokens[i + 1].raw) : " ";
    const can = flanking(before, after, sign !== "_");
    let left = token.raw.length;
    if (sign === "~" && left % 2) { nodes.push({ ...textOf("~"), lone: true }); left -= 1; }
    const width = sign === "~" ? 2 : 1;
    for (; left > 0; left -= width) {
      marks.push({ sign, length: sign === "~" ? 0 : token.raw.length, node: nodes.length, end: -1, ...can });
      nodes.push(textOf(sign.repeat(width)));
    }
  });
  return { marks, nodes };
}

/** Two runs must not be paired: CommonMark's rule of three. @param {Mark} opener @param {Mark} closer */
const isOdd = (opener, closer) =>
  (opener.close || closer.open) && (opener.length + closer.length) % 3 === 0
  && (opener.length % 3 !== 0 || closer.length % 3 !== 0);

/**
 * Finds for each mark that may end emphasis the nearest one that begins it, in linear time as markdown-it
 * does.
 * @param {Mark[]} marks
 */
function pair(marks) {
  /** @type {Record<string, number[]>} */
  const bottoms = {};
  /** @type {number[]} */
  const jumps = [];
  let head = 0;
  let last = -2;
  marks.forEach((closer, at) => {
    jumps.push(0);
    if (marks[head].sign !== closer.sign || last !== closer.node - 1) head = at;
    last = closer.node;
    if (!closer.close) return;
    const bottom = bottoms[closer.sign] ??= [-1, -1, -1, -1, -1, -1];
    const kind = (closer.open ? 3 : 0) + (closer.length % 3);
    const start = head - jumps[head] - 1;
    for (let i = start; i > bottom[kind]; i -= jumps[i] + 1) {
      const opener = marks[i];
      if (opener.sign !== closer.sign || !opener.open || opener.end >= 0 || isOdd(opener, closer)) continue;
      const jump = i > 0 && !marks[i - 1].open ? jumps[i - 1] + 1 : 0;
      jumps[at] = at - i + jump;
      jumps[i] = jump;
      closer.open = false;
      opener.end = at;
      opener.close = false;
      last = -2;
      return;
    }
    bottom[kind] = start;
  });
}

/**
 * Tells whether the pair at `i` and the one around it are two adjacent marks on each side: strong.
 * @param {Mark[]} marks @param {number} i
 */
function isStrong(marks, i) {
  const [outer, inner] = [marks[i - 1], marks[i]];
  return i > 0 && outer.sign === inner.sign && outer.end === inner.end + 1
    && outer.node === inner.node - 1 && marks[outer.end].node === marks[inner.end].node + 1;
}

/**
 * Returns what begins or ends at each node: its type, and how many nodes its marks take.
 * @param {Mark[]} marks
 */
function turns(marks) {
  /** @type {Map<number, Turn>} */
  const at = new Map();
  for (let i = marks.length - 1; i >= 0; i -= 1) {
    const mark = marks[i];
    if (mark.end < 0) continue;
    const close = marks[mark.end].node;
    if (mark.sign !== "~" && isStrong(marks, i)) {
      at.set(mark.node - 1, { type: "strong", opens: true, width: 2 }).set(close, { width: 2 });
      i -= 1;
    } else {
      const type = mark.sign === "~" ? "del" : "em";
      at.set(mark.node, { type, opens: true, width: 1 }).set(close, { width: 1 });
    }
  }
  return at;
}

/** @param {Tokens.Generic[]} list @param {Tokens.Generic} node */
function add(list, node) {
  const last = list.at(-1);
  const joins = last && node.type === "text" && last.type === "text" && last.escaped === node.escaped;
  if (!joins) { list.push(node); return; }
  list[list.length - 1] = { ...last, raw: last.raw + node.raw, text: last.text + node.text };
}

/**
 * Moves the odd `~` of a run that ends a deletion behind it, as in `~~~a~~~`.
 * @param {Tokens.Generic[]} nodes @param {Map<number, Turn>} at
 */
function moveLone(nodes, at) {
  for (let i = 1; i < nodes.length; i += 1) {
    for (let k = i; k < nodes.length && nodes[k - 1].lone && nodes[k].raw === "~~"; k += 1) {
      const turn = at.get(k);
      if (turn?.width !== 1 || turn.opens) break;
      [nodes[k - 1], nodes[k]] = [nodes[k], nodes[k - 1]];
      at.set(k - 1, turn);
      at.delete(k);
    }
  }
}

/**
 * Returns the tokens of one line of words with its marks paired: em, strong and del hold what is between
 * them.
 * @param {Tokens.Generic[]} tokens
 * @returns {Tokens.Generic[]}
 */
export function resolve(tokens) {
  if (!tokens.some((each) => each.type === "delimiter")) return tokens;
  const { marks, nodes } = split(tokens);
  pair(marks);
  const at = turns(marks);
  moveLone(nodes, at);
  /** @type {(Tokens.Generic & { tokens: Tokens.Generic[] })[]} */
  const open = [{ type: "root", raw: "", tokens: [] }];
  for (let i = 0; i < nodes.length; i += 1) {
    const turn = at.get(i);
    if (!turn) { add(open[open.length - 1].tokens, nodes[i]); continue; }
    const raw = nodes.slice(i, i + turn.width).map((each) => each.raw).join("");
    i += turn.width - 1;
    if (turn.opens) { open.push({ type: turn.type ?? "em", raw, tokens: [] }); continue; }
    const done = open.pop();
    if (!done) continue;
    done.raw += done.tokens.map((each) => each.raw).join("") + raw;
    done.text = done.tokens.map((/** @type {Tokens.Generic} */ each) => each.text ?? "").join("");
    open[open.length - 1].tokens.push(done);
  }
  return open[0].tokens;
}
