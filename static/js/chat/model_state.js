/**
 * Says above the message box why the model of the open chat cannot answer at the moment.
 *
 * @import { ChatPage } from "grokweb/chat/context.js"
 * @import { Model } from "grokweb/wire/objects.js"
 */

import { gettext } from "grokweb/base/i18n.js";

const SPREAD_MS = 2000; // pages ask for the state of models within so long, not all at once

/** @typedef {{ slug: string, running: boolean | null, problem?: string }} ModelState */

/** Knows the states of models, as the server told them last, and shows that of the open chat's. */
export class ModelStates {
  /**
   * @param {ChatPage["notices"]} notices
   * @param {() => Promise<Model[]>} fetch  gets all models that the person may choose
   */
  constructor(notices, fetch) {
    this.notices = notices;
    this.fetch = fetch;
    /** @type {Map<string, ModelState>} */
    this.states = new Map();
    this.slug = ""; // of the open chat's model
    this.shown = "";
    this.isAsking = false;
  }

  /** Says that the server has no model; what it tells later of one takes this back. */
  sayNone() {
    this.shown = gettext("No model is set up on this server yet.");
    this.notices.show("model", this.shown, { kind: "warn", stay: true });
  }

  /**
   * Takes what the first frame of a connection says of the model of new chats.
   * @param {ModelState} model
   */
  greet(model) {
    this.states = new Map([[model.slug, model]]); // what was known of others may have changed
    this.show(this.slug || model.slug);
  }

  /**
   * Shows the state of a model, or nothing; asks for it if it is not known.
   * @param {string} slug
   */
  show(slug) {
    this.slug = slug;
    const state = this.states.get(slug);
    const words = state ? wordsOfProblem(state) : "";
    if (words !== this.shown) { // a notice that was closed stays closed
      this.shown = words;
      if (words) this.notices.show("model", words, { kind: "warn" });
      else this.notices.clear("model");
    }
    if (!state && this.states.size) this.refresh(0);
  }

  /** Removes the notice: the model has answered in the open chat. */
  answered() {
    if (!this.shown) return;
    this.shown = "";
    this.states.set(this.slug, { slug: this.slug, running: true });
    this.notices.clear("model");
  }

  /**
   * Asks for the states within `spread` milliseconds.
   * @param {number} [spread]
   */
  refresh(spread = SPREAD_MS) {
    if (this.isAsking) return;
    this.isAsking = true;
    setTimeout(async () => {
      this.isAsking = false;
      try {
        const models = await this.fetch();
        this.states = new Map(models.map((each) => [each.slug, stateOf(each)]));
        // One that is in no menu: nothing is said of it, and it is not asked for again.
        if (!this.states.has(this.slug)) this.states.set(this.slug, { slug: this.slug, running: true });
        this.show(this.slug);
      } catch { /* the page says what it knows; the next frame asks again */ }
    }, Math.random() * spread);
  }
}

/** @param {Model} model @returns {ModelState} */
function stateOf({ slug, running, problem }) {
  return { slug, running: running ?? true, problem };
}

/**
 * Returns why a model cannot answer at the moment, or "".
 * @param {ModelState} model
 */
function wordsOfProblem({ running, problem }) {
  if (problem === "fetching") {
    return gettext("The model is being fetched and will answer when it is here. Messages wait until then.");
  }
  if (!running) return gettext("The model is not running at the moment. Messages wait until it is back.");
  if (problem === "server_unavailable") {
    return gettext("The model's server does not answer at the moment. Messages wait until it is back.");
  }
  return problem ? gettext("The model's server refuses requests. Please tell your administrator.") : "";
}
