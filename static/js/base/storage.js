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

/** sessionStorage under one person's name: the next one who logs in in this tab starts empty. */
export class PersonalStorage {
  /** @param {string} user @param {string} kind */
  constructor(user, kind) {
    this.prefix = `grokweb.${user}.${kind}.`;
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
