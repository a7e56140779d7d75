/**
 * The dialog for the sampling settings of a conversation. An empty field stands for the default.
 *
 * @import { Settings } from "grokweb/wire/objects.js"
 */

import { decimal } from "grokweb/base/format.js";
import { fill, gettext } from "grokweb/base/i18n.js";
import { closeButton, el, find, showError, wireDialog, wordsOf } from "grokweb/ui/dom.js";
import { effortWords } from "grokweb/view/effort.js";

/**
 * Labels and hints of the fields; chat/personas/sampling.py has the same words.
 * @type {Record<string, { words: () => string, hint: () => string }>}
 */
const FIELDS = {
  temperature: {
    words: () => gettext("Temperature"),
    hint: () => gettext("Lower is more exact, higher is freer."),
  },
  top_p: {
    words: () => gettext("Top-p"),
    hint: () => gettext("Only the likeliest words that together have this probability."),
  },
  top_k: {
    words: () => gettext("Top-k"),
    hint: () => gettext("Only this many of the likeliest words; 0 means all."),
  },
  min_p: {
    words: () => gettext("Min-p"),
    hint: () => gettext("Only words with at least this fraction of the likeliest word's probability."),
  },
  repetition: {
    words: () => gettext("Repetition penalty"),
    hint: () => gettext("Above 1 the model repeats itself less."),
  },
  max_tokens: {
    words: () => gettext("Longest answer, in tokens"),
    hint: () => "",
  },
};
const WHOLE_NUMBERS = ["top_k", "max_tokens"];
const TEXTS = ["seed", "effort"];

/**
 * @param {string} name
 * @param {{ lowest: number, highest: number, usual: number | undefined, value: number | string | undefined }}
 *   field
 */
function numberField(name, { lowest, highest, usual, value }) {
  const { words, hint } = FIELDS[name];
  const id = `sampling-${name}`;
  const isWhole = WHOLE_NUMBERS.includes(name);
  const input = el("input", {
    id, name, type: "number", min: String(lowest), max: String(highest), step: isWhole ? "1" : "any",
    inputmode: isWhole ? "numeric" : "decimal", "aria-describedby": `${id}-hint`,
    placeholder: usual === undefined ? "" : decimal(usual),
  });
  input.value = String(value ?? "");
  const range = fill(gettext("%(lowest)s to %(highest)s."), { lowest: decimal(lowest), highest: decimal(highest) });
  const line = el("p", { class: "hint", id: `${id}-hint` }, [range, hint()].filter(Boolean).join(" "));
  return el("div", { class: "field" }, el("label", { for: id }, words()), input, line);
}

/**
 * What was chosen for another model stays a choice, so that saving does not drop it.
 * @param {string[]} efforts  that the model can be asked for
 * @param {string} usual  the one where nobody chose; "" for as the model does by itself
 * @param {number | string | undefined} value
 */
function effortField(efforts, usual, value) {
  const id = "sampling-effort";
  const options = [
    el("option", { value: "" }, usual
      ? fill(gettext("as usual here: %(effort)s"), { effort: effortWords(usual) })
      : gettext("as the model does by itself")),
    ...efforts.map((effort) => el("option", { value: effort }, effortWords(effort))),
  ];
  const stored = String(value ?? "");
  if (stored && !efforts.includes(stored)) {
    const label = fill(gettext("%(effort)s (not with this model)"), { effort: effortWords(stored) });
    options.push(el("option", { value: stored }, label));
  }
  const select = el("select", { id, name: "effort", "aria-describedby": `${id}-hint` }, ...options);
  select.value = stored;
  const hint = gettext("More is slower and uses more tokens; it helps with hard questions.");
  return el("div", { class: "field" }, el("label", { for: id }, gettext("Thinking")), select,
    el("p", { class: "hint", id: `${id}-hint` }, hint));
}

/** @param {number | string | undefined} value */
function seedField(value) {
  const input = el("input", {
    id: "sampling-seed", name: "seed", type: "text", inputmode: "numeric",
    pattern: "[0-9]{1,19}", maxlength: "19",
    "aria-describedby": "sampling-seed-hint", placeholder: gettext("new each time"),
  });
  input.value = String(value ?? "");
  const hint = gettext("With the same seed the same question gets the same answer.");
  return el("div", { class: "field" },
    el("label", { for: "sampling-seed" }, gettext("Seed")), input,
    el("p", { class: "hint", id: "sampling-seed-hint" }, hint));
}

/**
 * Opens the dialog. `save(settings)` gets those that are filled in; it may throw an error with words.
 * @param {{ bounds: Record<string, [number, number]>, usual: Record<string, number>, efforts: string[],
 *   effort: string }} offers  limits and defaults, and how much the model can be asked to think
 * @param {Settings} settings @param {(settings: Settings) => Promise<void>} save
 */
export function askSampling({ bounds, usual, efforts, effort: usualEffort }, settings, save) {
  const fields = Object.entries(bounds).map(([name, [lowest, highest]]) =>
    numberField(name, { lowest, highest, usual: usual[name], value: settings[name] }));
  const isOffered = efforts.length > 0 || Boolean(settings.effort);
  const effort = isOffered ? [effortField(efforts, usualEffort, settings.effort)] : [];
  const reset = el("button", { class: "button plain", type: "button" }, gettext("Reset"));
  const submit = el("button", { class: "button primary", type: "submit" }, gettext("Save"));
  const hint = gettext("For this conversation, from the next answer on. Empty fields use the defaults that are shown in them.");
  const form = el("form", {},
    el("h2", { id: "sampling-title" }, gettext("Settings of the answers")),
    el("p", { class: "hint" }, hint),
    el("div", { class: "pairs" }, ...effort, ...fields, seedField(settings.seed)),
    el("p", { class: "form-error", role: "alert", hidden: true }),
    el("div", { class: "actions" }, reset, submit),
  );
  const attributes = { id: "sampling-dialog", "aria-labelledby": "sampling-title" };
  const dialog = wireDialog(el("dialog", attributes, closeButton(""), form));
  reset.addEventListener("click", () => {
    for (const each of inputsOf(form)) each.value = "";
    find("input, select", form).focus();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    submit.disabled = true;
    try {
      await save(settingsIn(form));
      dialog.close();
    } catch (error) {
      showError(form, wordsOf(error));
    } finally {
      submit.disabled = false;
    }
  });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

/** @param {HTMLFormElement} form @returns {(HTMLInputElement | HTMLSelectElement)[]} */
const inputsOf = (form) => [...form.querySelectorAll("input"), ...form.querySelectorAll("select")];

/** @param {HTMLFormElement} form @returns {Settings} */
function settingsIn(form) {
  const filled = inputsOf(form).filter((each) => each.value.trim() !== "");
  return Object.fromEntries(filled.map(({ name, value }) =>
    [name, TEXTS.includes(name) ? value.trim() : Number(value)]));
}
