/** The row under the message box: which model answers, and how. A new chat keeps its choices until its first message. */

import { askSettings } from "grokweb/answers.js";
import { call } from "grokweb/api.js";
import { openChoices } from "grokweb/choices.js";
import { find } from "grokweb/dom.js";
import { tellRetired } from "grokweb/retired.js";
import { fill, gettext, ngettext, number, seconds } from "grokweb/words.js";

const NOTHING_CHOSEN = { persona: null, settings: {} };
const KEEP_PERSONAS = "/settings/answers/#personas";

export class Voice {
  /** `models`: all there are, the default first; `offers`: personas and bounds. `heard(this)` whenever something is another. */
  constructor(row, { models, offers, notices, heard }) {
    Object.assign(this, { row, models, offers, notices, heard });
    this.conversation = null;
    this.card = null; // of the open conversation's model, which may be in no menu any more
    this.chosenModel = null; // of a new chat
    this.manner = NOTHING_CHOSEN;
    this.buttons = { model: find("[data-model]", row), persona: find("[data-persona]", row), settings: find("[data-answers]", row) };
    this.buttons.model.addEventListener("click", () => this.offerModels());
    this.buttons.persona.addEventListener("click", () => this.offerPersonas(this.buttons.persona, this.manner.persona?.id ?? null, (id) => this.choosePersona(id)));
    this.buttons.settings.addEventListener("click", () => this.offerSettings());
    row.hidden = !models.length;
  }

  /** Another conversation, or null for a new one; also when it has changed. Without `manner` it answers as before. */
  open(conversation, manner, card) {
    if (card || conversation?.id !== this.conversation?.id) this.card = card ?? null;
    if (!conversation && this.conversation) Object.assign(this, { chosenModel: null, manner: NOTHING_CHOSEN });
    this.conversation = conversation;
    if (manner) this.manner = manner;
    this.draw();
  }

  get model() {
    const slug = this.conversation?.model ?? this.chosenModel;
    if (this.conversation && this.card?.slug === slug) return this.card;
    return this.models.find((each) => each.slug === slug) ?? this.models[0];
  }

  /** The server says that a model is retired, perhaps since this page was opened. */
  retire(slug, successor) {
    if (slug !== this.model?.slug) return;
    if (this.conversation) this.card = { ...this.model, retired: true, successor };
    else if (successor) this.chosenModel = successor.slug;
    this.models = this.models.filter((each) => each.slug !== slug);
    this.draw();
  }

  /** What persona and instructions take of the context, about. */
  get tokens() {
    return this.offers.instructions + (this.manner.persona?.tokens ?? 0);
  }

  /** `start` of the frame that makes a conversation, or undefined. */
  get start() {
    const { persona, settings } = this.manner;
    const start = {
      ...(this.chosenModel && { model: this.chosenModel }),
      ...(persona && { persona: persona.id }),
      ...(Object.keys(settings).length && { settings }),
    };
    return Object.keys(start).length ? start : undefined;
  }

  draw() {
    if (!this.model) return;
    const { persona, settings } = this.manner;
    const changed = Object.keys(settings).length;
    find("b", this.buttons.model).textContent = this.model.name;
    find("b", this.buttons.persona).textContent = persona?.name ?? gettext("No persona");
    find("b", this.buttons.settings).textContent = changed ? fill(ngettext("%(n)s setting", "%(n)s settings", changed), { n: number(changed) }) : gettext("Settings");
    tellRetired(this.notices, this.conversation && this.model, (slug) => this.chooseModel(slug));
    this.heard(this);
  }

  async offerModels() {
    const button = this.buttons.model;
    button.disabled = true;
    try {
      this.models = (await call("GET", "/api/models/")).models;
    } catch { /* what the page knows will do */ }
    button.disabled = false;
    const current = this.model;
    const chosen = current?.slug;
    const known = current && !current.retired && !this.models.some((each) => each.slug === chosen) ? [current, ...this.models] : this.models; // a hidden one
    openChoices(button, {
      label: gettext("Model"),
      choices: known.map((each) => ({ value: each.slug, name: each.name, about: each.about, state: stateOf(each), off: each.running === false && each.slug !== chosen })),
      chosen,
      pick: (slug) => this.chooseModel(slug),
    });
  }

  /** The personas there are, beside `button`; `pick(id)`, null for none. */
  offerPersonas(button, chosen, pick) {
    const { personas } = this.offers;
    const current = this.manner.persona;
    const known = current && !personas.some((each) => each.id === current.id) ? [current, ...personas] : personas; // one of another language
    openChoices(button, {
      label: gettext("Persona"),
      choices: [{ value: null, name: gettext("No persona"), about: gettext("The model as it is.") }, ...known.map((each) => ({ value: each.id, name: each.name, about: each.own ? gettext("Yours") : "" }))],
      chosen,
      pick,
      more: [{ name: "settings", words: gettext("Personas and instructions"), run: () => location.assign(KEEP_PERSONAS) }],
    });
  }

  offerSettings() {
    askSettings(this.offers, this.manner.settings, (settings) => this.change({ settings }, { ...this.manner, settings }));
  }

  async chooseModel(model) {
    const { conversation } = this;
    if (model === this.model?.slug) return;
    if (!conversation) {
      this.chosenModel = model;
      this.draw();
      return;
    }
    await this.trying(async () => {
      const told = await call("PATCH", `/api/conversations/${conversation.id}/`, { model });
      if (this.conversation?.id === conversation.id) this.open(told.conversation, undefined, told.model);
    });
  }

  choosePersona(id) {
    const persona = this.offers.personas.find((each) => each.id === id) ?? (this.manner.persona?.id === id ? this.manner.persona : null);
    return this.trying(() => this.change({ persona: id }, { ...this.manner, persona }));
  }

  /** What is asked of the server, and how it is for a chat that the server does not know yet. */
  async change(asked, local) {
    const { conversation } = this;
    const manner = conversation ? (await call("PATCH", `/api/conversations/${conversation.id}/manner/`, asked)).manner : local;
    if (this.conversation?.id === conversation?.id) this.open(this.conversation, manner);
  }

  async trying(work) {
    try {
      await work();
    } catch (error) {
      this.notices.show("error", error.message, { kind: "bad" });
    }
  }
}

/** How a model is doing, in a line. */
export function stateOf({ running, waiting, estimate, hidden, context_tokens: context }) {
  const parts = [fill(gettext("Reads up to %(n)s tokens"), { n: number(context) })];
  if (hidden) parts.push(gettext("hidden from people"));
  if (running === false) parts.push(gettext("not running at the moment"));
  else if (waiting) parts.push(fill(ngettext("%(n)s message waits", "%(n)s messages wait", waiting), { n: number(waiting) }));
  else if (running) parts.push(gettext("free"));
  if (running && waiting && estimate) parts.push(seconds(estimate));
  return parts.join(" · ");
}
