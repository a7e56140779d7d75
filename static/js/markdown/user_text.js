/**
 * Parses a person's message: fences and `code` are code, nothing else is markup. The rules are those of
 * chat/sharing/user_text.py.
 *
 * @typedef {{ words: string } | { code: string, lang: string }} Part
 */

const FENCE = /^( {0,3})(`{3,}(?=[^`]*$)|~{3,})(.*)$/;

/**
 * Splits a text into words and blocks of code; a fence without an end goes to the end of the text.
 * @param {string} text
 */
export function parts(text) {
  /** @type {Part[]} */
  const found = [];
  const lines = text.replace(/\r\n?/g, "\n").split("\n");
  /** @type {string[]} */
  let words = [];
  const flush = () => {
    if (words.some((line) => line.trim())) found.push({ words: words.join("\n").replace(/^\n+|\n+$/g, "") });
    words = [];
  };
  for (let i = 0; i < lines.length; i += 1) {
    const [, indent, mark, info] = FENCE.exec(lines[i]) ?? [];
    if (!mark) { words.push(lines[i]); continue; }
    flush();
    const ends = new RegExp(`^ {0,3}${mark[0]}{${mark.length},}[ \\t]*$`);
    const indented = new RegExp(`^ {0,${indent.length}}`);
    const code = [];
    for (i += 1; i < lines.length && !ends.test(lines[i]); i += 1) code.push(lines[i].replace(indented, ""));
    found.push({ code: code.join("\n"), lang: /^[\w+#-]{1,20}/.exec(info.trim())?.[0].toLowerCase() ?? "" });
  }
  flush();
  return found;
}

/**
 * Splits words into text and inline code, which is between as many backticks as began it, on one line.
 * @param {string} words
 */
export function spans(words) {
  /** @type {(string | { code: string })[]} */
  const found = [];
  let done = 0;
  for (const line of words.matchAll(/[^\n]+/g)) {
    const runs = [...line[0].matchAll(/`+/g)];
    const last = new Map(runs.map((run, i) => [run[0].length, i])); // of each length
    for (let i = 0; i < runs.length; i += 1) {
      const size = runs[i][0].length;
      if ((last.get(size) ?? -1) <= i) continue;
      let to = i + 1;
      while (runs[to][0].length !== size) to += 1;
      const code = line[0].slice(runs[i].index + size, runs[to].index);
      const isPadded = /^ .*[^ ].* $/.test(code);
      found.push(words.slice(done, line.index + runs[i].index));
      found.push({ code: isPadded ? code.slice(1, -1) : code });
      done = line.index + runs[to].index + size;
      i = to;
    }
  }
  found.push(words.slice(done));
  return found.filter((each) => each !== "");
}
