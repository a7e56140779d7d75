/**
 * Makes the nodes on the page equal to fresh ones with as few changes as possible: what a reader has selected
 * or scrolled in an unfinished block stays, and the browser lays out only what is new.
 */

const MARK = "caret"; // the dot at the end is no part of the text

/** @param {Element} old @param {Element} fresh */
function sameAttributes(old, fresh) {
  const names = new Set([...old.getAttributeNames(), ...fresh.getAttributeNames()]);
  if (old.localName === "details") names.delete("open"); // the reader's choice
  return [...names].every((name) => {
    const had = old.getAttribute(name) ?? "";
    const bare = name === "class" ? had.split(" ").filter((each) => each && each !== MARK).join(" ") : had;
    return bare === (fresh.getAttribute(name) ?? "");
  });
}

/** @param {CharacterData} old @param {CharacterData} fresh */
function growText(old, fresh) {
  if (old.data === fresh.data) return;
  if (fresh.data.startsWith(old.data)) old.appendData(fresh.data.slice(old.data.length));
  else old.data = fresh.data;
}

/**
 * Returns true if `old` became `fresh`, false if it is another kind of node and must be replaced.
 * @param {Node} old @param {Node} fresh
 */
export function morph(old, fresh) {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) return false;
  if (old instanceof Text && fresh instanceof Text) { growText(old, fresh); return true; }
  if (!(old instanceof Element && fresh instanceof Element) || !sameAttributes(old, fresh)) return false;
  if (old.classList.contains("math") || old.classList.contains("code")) return old.isEqualNode(fresh);
  morphChildren(old, [...fresh.childNodes]);
  return true;
}

/** @param {Element} parent @param {ChildNode[]} fresh */
function morphChildren(parent, fresh) {
  const old = [...parent.childNodes];
  fresh.forEach((node, i) => {
    if (i >= old.length) parent.append(node);
    else if (!morph(old[i], node)) old[i].replaceWith(node);
  });
  for (const node of old.slice(fresh.length)) node.remove();
}
