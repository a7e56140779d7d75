/**
 * The row under the message box: which model answers, with which persona and settings. A new chat keeps its
 * choices until its first message.
 *
 * @import { Choice } from "grokweb/ui/choice_menu.js"
 * @import { Notices } from "grokweb/ui/notices.js"
 * @import { NewConversation } from "grokweb/wire/frames.js"
 * @import { Conversation, ConversationSettings, Model, Persona } from "grokweb/wire/objects.js"
 * @import { Settings, SettingsOffers } from "grokweb/wire/objects.js"
 */

import { date, number, seconds } from "grokweb/base/format.js";
import { fill, gettext, ngettext } from "grokweb/base/i18n.js";
import { anchorFor, wireNarrowLayout } from "grokweb/parts/narrow_layout.js";
import { showRetired } from "grokweb/parts/retired_model.js";
import { askSampling } from "grokweb/parts/sampling_dialog.js";
import { openChoices } from "grokweb/ui/choice_menu.js";
import { find, wordsOf } from "grokweb/ui/dom.js";
import { call } from "grokweb/wire/api.js";

const EDIT_PERSONAS = "/settings/answers/#personas";

export class SettingsBar {
  /**
   * @param {HTMLElement} row
   * @param {HTMLElement} heading  where the model stands on a narrow page
   * @param {object} options
   * @param {Model[]} options.models  all there are, the default first
   * @param {SettingsOffers} options.offers
   * @param {Notices} options.notices
   * @param {(now: { model: Model, tokens: number }) => void} options.changed  called after every change
   */
  constructor(row, heading, { models, offers, notices, changed }) {
    this.models = models;
    this.offers = offers;
    this.notices = notices;
    this.changed = changed;
    /** @type {Conversation | null} */
    this.conversation = null;
    /** @type {Model | null} the open conversation's model, which may be in no menu any more */
    this.conversationModel = null;
    /** @type {string | null} slug, of a new chat */
    this.chosenModel = null;
    this.current = this.defaults;
    this.buttons = {
      model: /** @type {HTMLButtonElement} */ (find("[data-model]", row)),
      persona: find("[data-persona]", row),
      sampling: find("[data-sampling]", row),
      options: find("[data-options]", row),
    };
    const { model, persona, sampling } = this.buttons;
    model.addEventListener("click", () => this.offerModels());
    persona.addEventListener("click", () => {
      const chosen = this.current.persona?.id ?? null;
      this.offerPersonas(anchorFor(persona), chosen, (id) => { this.choosePersona(id); });
    });
    sampling.addEventListener("click", () => this.offerSampling());
    wireNarrowLayout(row, heading, () => this.personaName);
    row.hidden = model.hidden = !models.length;
  }

  /**
   * Shows another conversation, or null for a new one; also to be called when it has changed.
   * @param {Conversation | null} conversation
   * @param {ConversationSettings} [settings]  without them they are as before
   * @param {Model | null} [model]
   */
  open(conversation, settings, model) {
    if (model || conversation?.id !== this.conversation?.id) this.conversationModel = model ?? null;
    if (!conversation && this.conversation) {
      this.chosenModel = null;
      this.conversation = null; // the default persona is that of the model of new chats
      this.current = this.defaults;
    }
    this.conversation = conversation;
    if (settings) this.current = settings;
    this.draw();
  }

  /** Settings of a new chat. @returns {ConversationSettings} */
  get defaults() {
    return { persona: this.usualPersona, settings: {} };
  }

  /**
   * The persona with which a new chat begins: the person's own choice, else the model's default.
   * @returns {Persona | null}
   */
  get usualPersona() {
    return this.offers.preferred ?? this.offers.of_models[this.model?.slug ?? ""] ?? null;
  }

  /** @returns {Model | undefined} */
  get model() {
    const slug = this.conversation?.model ?? this.chosenModel;
    const { conversationModel: own } = this;
    if (this.conversation && own?.slug === slug) return own;
    return this.models.find((each) => each.slug === slug) ?? this.models[0];
  }

  /**
   * Takes a model out of the menu that is retired or limited, perhaps since this page was opened.
   * @param {string | undefined} slug @param {Model | null} successor @param {boolean} [limited]
   */
  retire(slug, successor, limited) {
    const { model } = this;
    if (!model || slug !== model.slug) return;
    if (this.conversation) this.conversationModel = { ...model, retired: true, limited, successor };
    else if (successor) this.chosenModel = successor.slug;
    this.models = this.models.filter((each) => each.slug !== slug);
    this.draw();
  }

  get personaName() {
    return this.current.persona?.name ?? gettext("No persona");
  }

  /** Estimates how many tokens persona and custom instructions take of the context. */
  get tokens() {
    return this.offers.instructions + (this.current.persona?.tokens ?? 0);
  }

  /**
   * Returns the choices of a new chat (`start` of its first frame); undefined where nothing was chosen.
   * @returns {NewConversation | undefined}
   */
  get newConversation() {
    const { persona, settings } = this.current;
    const start = {
      ...(this.chosenModel && { model: this.chosenModel }),
      // The one shown is meant, also where the person chose another for new chats since this page was opened.
      ...((persona || this.usualPersona) && { persona: persona?.id ?? null }),
      ...(Object.keys(settings).length && { settings }),
    };
    return Object.keys(start).length ? start : undefined;
  }

  draw() {
    const { model } = this;
    if (!model) return;
    const { persona, settings } = this.current;
    const n = Object.keys(settings).length;
    const count = n ? fill(ngettext("%(n)s setting", "%(n)s settings", n), { n: number(n) }) : "";
    const all = [persona?.name, count].filter(Boolean).join(" · ");
    find("b", this.buttons.model).textContent = model.name;
    find("b", this.buttons.persona).textContent = this.personaName;
    find("b", this.buttons.sampling).textContent = count || gettext("Settings");
    find("b", this.buttons.options).textContent = all || gettext("Persona, settings, prompts");
    showRetired(this.notices, this.conversation ? model : null, (slug) => { this.chooseModel(slug); });
    this.changed({ model, tokens: this.tokens });
  }

  /** Gets the models that the person may choose, with their states. */
  async fetchModels() {
    this.models = (await call("GET", "/api/models/")).models;
    return this.models;
  }

  /**
   * Gets them for the menu of `button`; without an answer it shows what the page knows.
   * @param {HTMLButtonElement} button
   */
  async refreshModels(button) {
    button.disabled = true;
    try {
      await this.fetchModels();
    } catch { /* as the page knows them */ }
    button.disabled = false;
  }

  async offerModels() {
    const button = this.buttons.model;
    await this.refreshModels(button);
    const current = this.model;
    const chosen = current?.slug;
    const isLeftOut = current && !this.models.some((each) => each.slug === chosen); // hidden or retired
    const offered = isLeftOut ? [current, ...this.models] : this.models;
    openChoices(button, {
      label: gettext("Model"),
      choices: offered.map((each) => ({
        value: each.slug, name: each.name, about: each.about, state: stateOf(each),
        off: each.retired || (each.running === false && !each.starting && each.slug !== chosen),
      })),
      chosen,
      pick: (slug) => this.chooseModel(slug),
    });
  }

  /**
   * Offers the personas beside `button`.
   * @param {HTMLElement} button @param {string | null | undefined} chosen  undefined: none is marked
   * @param {(id: string | null) => void} pick
   */
  offerPersonas(button, chosen, pick) {
    const { personas } = this.offers;
    const { persona } = this.current;
    const isOther = persona && !personas.some((each) => each.id === persona.id); // of another language
    /** @type {Choice[]} */
    const choices = [{ value: null, name: gettext("No persona"), about: gettext("The model as it is.") }];
    for (const { id, name, own } of isOther ? [persona, ...personas] : personas) {
      choices.push({ value: id, name, about: own ? gettext("Yours") : "" });
    }
    const edit = () => location.assign(EDIT_PERSONAS);
    openChoices(button, {
      label: gettext("Persona"),
      choices,
      chosen,
      pick,
      more: [{ name: "settings", words: gettext("Personas and instructions"), run: edit }],
    });
  }

  /** Returns limits and defaults of the model that answers: its context bounds the length of an answer. */
  get settingsOfModel() {
    const { bounds, usual } = this.offers;
    const { answer_tokens: tokens, sampling, efforts = [], effort = "" } = this.model ?? {};
    if (!tokens) return { bounds, usual, efforts, effort };
    /** @type {[number, number]} */
    const range = [bounds.max_tokens[0], tokens.longest];
    return {
      bounds: { ...bounds, max_tokens: range },
      usual: { ...usual, ...sampling, max_tokens: tokens.usual },
      efforts,
      effort,
    };
  }

  offerSampling() {
    askSampling(this.settingsOfModel, this.current.settings, (settings) =>
      this.change({ settings }, { ...this.current, settings }));
  }

  /** @param {string} slug */
  async chooseModel(slug) {
    const { conversation } = this;
    if (slug === this.model?.slug) return;
    if (!conversation) {
      const { usualPersona: before } = this;
      this.chosenModel = slug;
      const { persona } = this.current;
      if (persona?.id === before?.id) this.current = { ...this.current, persona: this.usualPersona };
      this.draw();
      return;
    }
    await this.orShowError(async () => {
      const answer = await call("PATCH", `/api/conversations/${conversation.id}/`, { model: slug });
      if (this.conversation?.id === conversation.id) this.open(answer.conversation, undefined, answer.model);
    });
  }

  /** @param {string | null} id */
  choosePersona(id) {
    const { persona: before } = this.current;
    const known = before ? [...this.offers.personas, before] : this.offers.personas;
    const persona = known.find((each) => each.id === id) ?? null;
    return this.orShowError(() => this.change({ persona: id }, { ...this.current, persona }));
  }

  /**
   * Changes the settings of the conversation on the server, or those of a new chat here.
   * @param {{ persona?: string | null, settings?: Settings }} asked @param {ConversationSettings} local
   */
  async change(asked, local) {
    const { conversation } = this;
    let settings = local;
    if (conversation) {
      const answer = await call("PATCH", `/api/conversations/${conversation.id}/settings/`, asked);
      settings = answer.conversation_settings;
    }
    if (this.conversation?.id === conversation?.id) this.open(this.conversation, settings);
  }

  /** @param {() => Promise<void>} work */
  async orShowError(work) {
    try {
      await work();
    } catch (error) {
      this.notices.show("error", wordsOf(error), { kind: "bad" });
    }
  }
}

/**
 * Returns a line about the state of a model.
 * @param {Model} model
 */
export function stateOf(model) {
  if (model.retired) return stateOfRetired(model);
  const { running, starting, problem, waiting, estimate, hidden, price, context_tokens: context } = model;
  const parts = [fill(gettext("Reads up to %(n)s tokens"), { n: number(context) })];
  if (hidden) parts.push(gettext("hidden from people"));
  if (problem === "fetching") parts.push(gettext("being fetched"));
  else if (starting) parts.push(gettext("starting"));
  else if (running === false) parts.push(withoutWorker(model.last_seen));
  else if (problem === "server_unavailable") parts.push(gettext("its server does not answer"));
  else if (problem) parts.push(gettext("its server refuses requests"));
  else if (waiting) {
    parts.push(fill(ngettext("%(n)s message waits", "%(n)s messages wait", waiting), { n: number(waiting) }));
  } else if (running) parts.push(gettext("answers now"));
  if (running && waiting && estimate) parts.push(seconds(estimate));
  if (price === 0) parts.push(gettext("counts in no quota"));
  else if (price !== 1) parts.push(fill(gettext("counts %(n)s times in your quota"), { n: number(price) }));
  return parts.join(" · ");
}

/** @param {string | null | undefined} lastSeen */
function withoutWorker(lastSeen) {
  if (!lastSeen) return gettext("no worker");
  const time = date(lastSeen, { dateStyle: "medium", timeStyle: "short" });
  return fill(gettext("no worker; last seen %(time)s"), { time });
}

/** @param {Model} model */
function stateOfRetired({ limited, successor }) {
  const words = limited ? gettext("no longer for you") : gettext("retired");
  if (!successor) return words;
  return `${words} · ${fill(gettext("%(name)s can continue"), { name: successor.name })}`;
}
