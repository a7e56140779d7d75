/**
 * The dialog that tells how an answer was made: model, tokens, times, how it ended, and what would make it
 * again.
 *
 * @import { Settings, ShownMessage } from "grokweb/wire/objects.js"
 *
 * @typedef {object} Details  GET /api/messages/<id>/details/
 * @property {string} model
 * @property {string} persona
 * @property {string} ended
 * @property {number | null} prompt_tokens
 * @property {number | null} completion_tokens
 * @property {number} thought_tokens  of the tokens written
 * @property {number} thought_ms
 * @property {boolean} tokens_estimated  the model's server did not count them
 * @property {number | null} queued_ms
 * @property {number | null} first_token_ms
 * @property {number | null} total_ms
 * @property {number | null} tokens_a_second
 * @property {{ name: string, ended: string }[]} tools  calls of tools, in order
 * @property {Settings} settings
 * @property {string} seed
 */

import { decimal, number } from "grokweb/base/format.js";
import { fill, gettext } from "grokweb/base/i18n.js";
import { copyText } from "grokweb/ui/clipboard.js";
import { closeButton, el, wireDialog, wordsOf } from "grokweb/ui/dom.js";
import { effortWords } from "grokweb/view/effort.js";
import { isEdited, originOf } from "grokweb/view/message_status.js";
import { sentPrompt } from "grokweb/view/sent_prompt.js";
import { call } from "grokweb/wire/api.js";

/** @type {Record<string, () => string>} */
const SETTINGS = {
  temperature: () => gettext("Temperature"),
  top_p: () => gettext("Top-p"),
  top_k: () => gettext("Top-k"),
  min_p: () => gettext("Min-p"),
  repetition: () => gettext("Repetition penalty"),
  max_new_tokens: () => gettext("Longest answer"),
  effort: () => gettext("Thinking"),
};

/** @param {number | null} ms */
const duration = (ms) => (ms === null ? null : fill(gettext("%(n)s s"), { n: decimal(ms / 1000, 2) }));
/** @param {number | null} n */
const count = (n) => (n === null ? null : number(n));

/** @param {Details} details */
function written({ completion_tokens: all, thought_tokens: thoughts }) {
  if (all === null || !thoughts) return count(all);
  return fill(gettext("%(n)s, of these %(thoughts)s for thinking"), { n: number(all), thoughts: number(thoughts) });
}

/**
 * Returns [words, value] of everything that is known.
 * @param {Details} details
 */
function rowsOf(details) {
  const pace = details.tokens_a_second;
  /** @param {number | null} n */
  const counted = (n) =>
    n !== null && details.tokens_estimated ? fill(gettext("about %(n)s (estimate)"), { n: number(n) }) : count(n);
  /** @type {[string, string | null][]} */
  const rows = [
    [gettext("Model"), details.model],
    [gettext("Persona"), details.persona],
    [gettext("How it ended"), details.ended],
    [gettext("Tokens read"), counted(details.prompt_tokens)],
    [gettext("Tokens written"), details.tokens_estimated ? counted(details.completion_tokens) : written(details)],
    [gettext("Time for thinking"), details.thought_ms ? duration(details.thought_ms) : null],
    [gettext("Calls of tools"), details.tools.map(({ name, ended }) => `${name || "?"}: ${ended}`).join(", ")],
    [gettext("Waited in line"), duration(details.queued_ms)],
    [gettext("Until the first token"), duration(details.first_token_ms)],
    [gettext("Time in all"), duration(details.total_ms)],
    [gettext("Tokens per second"), pace === null ? null : decimal(pace, 1)],
  ];
  for (const [name, value] of Object.entries(details.settings)) {
    rows.push([SETTINGS[name](), name === "effort" ? effortWords(String(value)) : decimal(Number(value))]);
  }
  return rows.filter(([, value]) => value !== null && value !== "");
}

/** @param {Details | null} details @param {ShownMessage} message */
function drawDetails(details, message) {
  const origin = originOf(message);
  const from = origin ? [el("p", { dir: "auto" }, origin)] : [];
  if (!details && isEdited(message)) return from;
  if (!details) {
    return [...from, el("p", {}, gettext("This answer was imported from a file. How it was made is not known."))];
  }
  const label = el("span", {}, gettext("Copy"));
  const copy = el("button", { type: "button", class: "text-button", "aria-label": gettext("Copy the seed") }, label);
  copy.addEventListener("click", () => copyText(details.seed, label));
  const rows = rowsOf(details).map(([words, value]) =>
    el("div", {}, el("dt", {}, words), el("dd", { dir: "auto" }, value)));
  const seed = el("div", {}, el("dt", {}, gettext("Seed")), el("dd", {}, el("code", {}, details.seed), " ", copy));
  return [...from, el("dl", { class: "facts" }, ...rows, seed), sentPrompt(message.id)];
}

/**
 * Makes and opens the dialog, which is removed when it closes.
 * @param {ShownMessage} message
 */
export async function showDetails(message) {
  const loading = el("p", { class: "hint" }, gettext("One moment…"));
  const content = el("div", { class: "stack", "aria-live": "polite" }, loading);
  const heading = el("h2", { id: "details-title" }, gettext("Details of this answer"));
  const dialog = wireDialog(el(
    "dialog", { id: "details-dialog", "aria-labelledby": "details-title" },
    closeButton(""), el("div", { class: "stack" }, heading, content),
  ));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  try {
    const { details } = await call("GET", `/api/messages/${message.id}/details/`);
    content.replaceChildren(...drawDetails(details, message));
  } catch (error) {
    content.replaceChildren(el("p", { class: "form-error", role: "alert" }, wordsOf(error)));
  }
}
