/** The row under the message box: which model answers, and how. A new chat keeps its choices until its first message. */

import { call } from "grokweb/api.js";
import { openChoices } from "grokweb/choices.js";
import { find } from "grokweb/dom.js";
import { fill, gettext, ngettext, number, seconds } from "grokweb/words.js";

export class Voice {
  /** `models`: all there are, the default first. `heard(card)` for each model that becomes the one to answer. */
  constructor(row, { models, notices, heard }) {
    Object.assign(this, { row, models, notices, heard });
    this.conversation = null;
    this.start = {}; // what the next new chat begins with
    this.button = find("[data-model]", row);
    this.button.addEventListener("click", () => this.offerModels());
    row.hidden = !models.length;
  }

  /** Another conversation, or null for a new one; also when it has changed. */
  open(conversation) {
    if (!conversation && this.conversation) this.start = {};
    this.conversation = conversation;
    this.draw();
  }

  get model() {
    const slug = this.conversation?.model ?? this.start.model;
    return this.models.find((each) => each.slug === slug) ?? this.models[0];
  }

  /** `start` of the frame that makes a conversation, or undefined. */
  get choices() {
    return Object.keys(this.start).length ? this.start : undefined;
  }

  draw() {
    if (!this.model) return;
    find("b", this.button).textContent = this.model.name;
    this.heard(this.model);
  }

  async offerModels() {
    this.button.disabled = true;
    try {
      this.models = (await call("GET", "/api/models/")).models;
    } catch { /* what the page knows will do */ }
    this.button.disabled = false;
    const chosen = this.model?.slug;
    openChoices(this.button, {
      label: gettext("Model"),
      choices: this.models.map((each) => ({ value: each.slug, name: each.name, about: each.about, state: stateOf(each), off: each.running === false && each.slug !== chosen })),
      chosen,
      pick: (slug) => this.choose(slug),
    });
  }

  async choose(model) {
    const { conversation } = this;
    if (model === this.model?.slug) return;
    if (!conversation) {
      this.start = { ...this.start, model };
      this.draw();
      return;
    }
    try {
      const told = await call("PATCH", `/api/conversations/${conversation.id}/`, { model });
      if (this.conversation?.id === conversation.id) this.open(told.conversation);
    } catch (error) {
      this.notices.show("error", error.message, { kind: "bad" });
    }
  }
}

/** How a model is doing, in a line. */
export function stateOf({ running, waiting, estimate, context_tokens: context }) {
  const parts = [fill(gettext("Reads up to %(n)s tokens"), { n: number(context) })];
  if (running === false) parts.push(gettext("not running at the moment"));
  else if (waiting) parts.push(fill(ngettext("%(n)s message waits", "%(n)s messages wait", waiting), { n: number(waiting) }));
  else if (running) parts.push(gettext("free"));
  if (running && waiting && estimate) parts.push(seconds(estimate));
  return parts.join(" · ");
}
