/** Texts kept in the browser. Storage can be full or switched off: then a text lives as long as the page. */

/**
 * Reads a text of localStorage, "" if there is none.
 * @param {string} key
 */
export function readLocal(key) {
  try {
    return localStorage.getItem(key) ?? "";
  } catch {
    return "";
  }
}

/** @param {string} key @param {string} text */
export function writeLocal(key, text) {
  try {
    localStorage.setItem(key, text);
  } catch { /* see above */ }
}

/** Stores texts in sessionStorage by person, so that the next one who logs in in this tab starts empty. */
export class PersonalStorage {
  /**
   * @param {string} user
   * @param {string} kind
   * @param {string} [formerKind]  its name before version 0.2: texts under it are moved
   */
  constructor(user, kind, formerKind) {
    this.prefix = `grokweb.${user}.${kind}.`;
    if (formerKind) this.moveFrom(`grokweb.${user}.${formerKind}.`);
  }

  /** @param {string} prefix */
  moveFrom(prefix) {
    try {
      for (const key of Object.keys(sessionStorage).filter((each) => each.startsWith(prefix))) {
        this.set(key.slice(prefix.length), sessionStorage.getItem(key) ?? "");
        sessionStorage.removeItem(key);
      }
    } catch { /* see above */ }
  }

  /** @param {string} key */
  get(key) {
    try {
      return sessionStorage.getItem(this.prefix + key) ?? "";
    } catch {
      return "";
    }
  }

  /**
   * Stores a text; an empty one deletes the key.
   * @param {string} key @param {string} text
   */
  set(key, text) {
    try {
      if (text) sessionStorage.setItem(this.prefix + key, text);
      else sessionStorage.removeItem(this.prefix + key);
    } catch { /* see above */ }
  }

  clear() {
    for (const key of Object.keys(sessionStorage)) {
      if (key.startsWith(this.prefix)) sessionStorage.removeItem(key);
    }
  }
}
