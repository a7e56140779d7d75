/** How an answer was made: model, tokens, times, how it ended, and what would make it again. */

import { call } from "grokweb/api.js";
import { copyText, el, icon, wireDialog } from "grokweb/dom.js";
import { fill, gettext, language, number, originOf } from "grokweb/words.js";

const SETTINGS = {
  temperature: () => gettext("Temperature"),
  top_p: () => gettext("Top-p"),
  top_k: () => gettext("Top-k"),
  min_p: () => gettext("Min-p"),
  repetition: () => gettext("Repetition penalty"),
  max_new_tokens: () => gettext("Longest answer"),
};

const decimal = (n, digits) => new Intl.NumberFormat(language(), { maximumFractionDigits: digits }).format(n);
const span = (ms) => (ms === null ? null : fill(gettext("%(n)s s"), { n: decimal(ms / 1000, 2) }));
const count = (n) => (n === null ? null : number(n));

/** [words, value] of everything that is known. */
function rowsOf(details) {
  const pace = details.tokens_a_second;
  const rows = [
    [gettext("Model"), details.model],
    [gettext("Persona"), details.persona],
    [gettext("How it ended"), details.ended],
    [gettext("Tokens read"), count(details.prompt_tokens)],
    [gettext("Tokens written"), count(details.completion_tokens)],
    [gettext("Waited in line"), span(details.queued_ms)],
    [gettext("Until the first token"), span(details.first_token_ms)],
    [gettext("Time in all"), span(details.whole_ms)],
    [gettext("Tokens per second"), pace === null ? null : decimal(pace, 1)],
    ...Object.entries(details.settings).map(([name, value]) => [SETTINGS[name](), decimal(value, 3)]),
  ];
  return rows.filter(([, value]) => value !== null && value !== "");
}

function drawn(details, origin) {
  const from = origin ? [el("p", { dir: "auto" }, origin)] : [];
  if (!details) return [...from, el("p", {}, gettext("This answer came in from a file. How it was made is not known."))];
  const label = el("span", {}, gettext("Copy"));
  const copy = el("button", { type: "button", class: "text-button", "aria-label": gettext("Copy the seed") }, label);
  copy.addEventListener("click", () => copyText(details.seed, label));
  const list = el("dl", { class: "facts" }, ...rowsOf(details).map(([words, value]) => el("div", {}, el("dt", {}, words), el("dd", { dir: "auto" }, value))));
  list.append(el("div", {}, el("dt", {}, gettext("Seed")), el("dd", {}, el("code", {}, details.seed), " ", copy)));
  return [...from, list];
}

/** The dialog is made when it is asked for and goes when it is closed. */
export async function showDetails(message) {
  const content = el("div", { class: "stack", "aria-live": "polite" }, el("p", { class: "hint" }, gettext("One moment…")));
  const close = el("button", { class: "icon-button close", type: "button", "data-close": true, "aria-label": gettext("Close") }, icon("close", ""));
  const heading = el("h2", { id: "details-title" }, gettext("Details of this answer"));
  const dialog = wireDialog(el("dialog", { id: "details-dialog", "aria-labelledby": "details-title" }, close, el("div", { class: "stack" }, heading, content)));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  try {
    const { details } = await call("GET", `/api/messages/${message.id}/details/`);
    content.replaceChildren(...drawn(details, originOf(message)));
  } catch (error) {
    content.replaceChildren(el("p", { class: "form-error", role: "alert" }, error.message));
  }
}
