/** Makes the nodes on the page equal to fresh ones with as few changes as it takes: what a reader has selected or
 *  scrolled in an unfinished block stays, and the browser lays out only what is new. */

const MARK = "caret"; // the dot at the end is no part of the text

function sameAttributes(old, fresh) {
  const names = new Set([...old.getAttributeNames(), ...fresh.getAttributeNames()]);
  return [...names].every((name) => {
    const had = old.getAttribute(name) ?? "";
    const bare = name === "class" ? had.split(" ").filter((each) => each && each !== MARK).join(" ") : had;
    return bare === (fresh.getAttribute(name) ?? "");
  });
}

function growText(old, fresh) {
  if (old.data === fresh.data) return;
  if (fresh.data.startsWith(old.data)) old.appendData(fresh.data.slice(old.data.length));
  else old.data = fresh.data;
}

/** True if `old` became `fresh`; false if it is another kind of node and must be replaced. */
export function morph(old, fresh) {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) return false;
  if (old.nodeType === Node.TEXT_NODE) { growText(old, fresh); return true; }
  if (!sameAttributes(old, fresh)) return false;
  if (old.classList.contains("math") || old.classList.contains("code")) return old.isEqualNode(fresh);
  morphChildren(old, [...fresh.childNodes]);
  return true;
}

function morphChildren(parent, fresh) {
  const old = [...parent.childNodes];
  fresh.forEach((node, i) => {
    if (i >= old.length) parent.append(node);
    else if (!morph(old[i], node)) old[i].replaceWith(node);
  });
  for (const node of old.slice(fresh.length)) node.remove();
}
