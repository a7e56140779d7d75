/**
 * Tells pasted files from pasted text: a file manager also copies the names of files as text, and a word
 * processor a picture of its text.
 */

const LINUX = /^(x-special\/\S+|copy|cut)$/; // lines that file managers of GNOME put before the addresses

/**
 * Returns the last part of a path or address.
 * @param {string} line
 */
function lastPart(line) {
  const part = line.replace(/[\\/]+$/, "").split(/[\\/]/).at(-1) ?? "";
  if (!line.startsWith("file:")) return part.normalize();
  try {
    return decodeURIComponent(part).normalize();
  } catch {
    return part.normalize(); // "100%.txt"
  }
}

/** The ending may be hidden. @param {string} part @param {string} name */
const isName = (part, name) => part === name || name.replace(/\.[^.]+$/, "") === part;

/**
 * Tells whether `text` is no more than the names (or paths) of `files`: then the files are what was copied.
 * @param {string} text @param {{ name: string }[]} files
 */
export function namesFiles(text, files) {
  const names = files.map((each) => each.name.normalize());
  const lines = text.split(/[\r\n\0]+/).map((each) => each.trim()).filter((each) => each && !LINUX.test(each));
  const isOne = (/** @type {string} */ line) =>
    names.some((name) => isName(lastPart(line), name) || isName(line.normalize(), name));
  return lines.length > 0 && lines.every(isOne);
}
