/** Tells screen readers what the model writes, a sentence at a time instead of a token at a time. */

const SENTENCE = /[\s\S]*?[.!?…:](?=\s)|[^\n]*\n/y;

export class Announcer {
  constructor(region) {
    this.region = region;
    this.at = new Map(); // reply -> characters said
  }

  say(words) {
    this.region.append(Object.assign(document.createElement("p"), { textContent: words }));
    while (this.region.childElementCount > 20) this.region.firstElementChild.remove();
  }

  /** The text so far; `done` says the rest, too. */
  follow(id, text, done = false) {
    let at = this.at.get(id) ?? 0;
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
    if (done) this.at.delete(id);
    else this.at.set(id, at);
  }
}
