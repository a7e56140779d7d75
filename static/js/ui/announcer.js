/** Tells screen readers what the model writes, a sentence at a time instead of a token at a time. */

const SENTENCE = /[\s\S]*?[.!?…:](?=\s)|[^\n]*\n/y;
const MOST_KEPT = 20; // paragraphs in the live region

export class Announcer {
  /** @param {HTMLElement} region  a live region */
  constructor(region) {
    this.region = region;
    /** @type {Map<string, number>} reply -> characters announced */
    this.announced = new Map();
  }

  /** @param {string} words */
  say(words) {
    this.region.append(Object.assign(document.createElement("p"), { textContent: words }));
    while (this.region.childElementCount > MOST_KEPT) this.region.firstElementChild?.remove();
  }

  /**
   * Announces the sentences that `text`, a reply so far, has in addition; `done`: also the rest.
   * @param {string} id @param {string} text
   */
  follow(id, text, done = false) {
    let at = this.announced.get(id) ?? 0;
    if (at > text.length) at = 0;
    let said = "";
    SENTENCE.lastIndex = at;
    for (let found = SENTENCE.exec(text); found?.[0]; found = SENTENCE.exec(text)) {
      said += found[0];
      at = SENTENCE.lastIndex;
    }
    if (done) said += text.slice(at);
    const words = said.replace(/[*_`#>|~]+/g, "").trim();
    if (words) this.say(words);
    if (done) this.announced.delete(id);
    else this.announced.set(id, at);
  }
}
