/** The settings of a conversation's answers: numbers that are empty as long as they are as always. */

import { el, find, icon, showError, wireDialog } from "grokweb/dom.js";
import { fill, gettext, language } from "grokweb/words.js";

const FIELDS = {
  temperature: { words: () => gettext("Temperature"), hint: () => gettext("Lower is more exact, higher is freer.") },
  top_p: { words: () => gettext("Top-p"), hint: () => gettext("Only the likeliest words that together have this probability.") },
  top_k: { words: () => gettext("Top-k"), hint: () => gettext("Only so many of the likeliest words; 0 for all.") },
  min_p: { words: () => gettext("Min-p"), hint: () => gettext("Only words at least so likely as this part of the likeliest.") },
  repetition: { words: () => gettext("Repetition penalty"), hint: () => gettext("Above 1 the model repeats itself less.") },
  max_tokens: { words: () => gettext("Longest answer, in tokens"), hint: () => "" },
};
const WHOLE = ["top_k", "max_tokens"];

const decimal = (n) => new Intl.NumberFormat(language(), { maximumFractionDigits: 3 }).format(n);

function field(name, { lowest, highest, usual, value }) {
  const { words, hint } = FIELDS[name];
  const id = `answers-${name}`;
  const input = el("input", { id, name, type: "number", min: String(lowest), max: String(highest), step: WHOLE.includes(name) ? "1" : "any", inputmode: WHOLE.includes(name) ? "numeric" : "decimal", "aria-describedby": `${id}-hint`, placeholder: usual === undefined ? "" : decimal(usual) });
  input.value = value ?? "";
  const range = fill(gettext("%(lowest)s to %(highest)s."), { lowest: decimal(lowest), highest: decimal(highest) });
  return el("div", { class: "field" }, el("label", { for: id }, words()), input, el("p", { class: "hint", id: `${id}-hint` }, [range, hint()].filter(Boolean).join(" ")));
}

function seedField(value) {
  const input = el("input", { id: "answers-seed", name: "seed", type: "text", inputmode: "numeric", pattern: "[0-9]{1,19}", maxlength: "19", "aria-describedby": "answers-seed-hint", placeholder: gettext("new each time") });
  input.value = value ?? "";
  return el("div", { class: "field" }, el("label", { for: "answers-seed" }, gettext("Seed")), input, el("p", { class: "hint", id: "answers-seed-hint" }, gettext("With the same seed the same question gets the same answer.")));
}

/** `save(settings)` with those that are filled in; it may throw an error with words. */
export function askSettings({ bounds, usual }, settings, save) {
  const fields = Object.entries(bounds).map(([name, [lowest, highest]]) => field(name, { lowest, highest, usual: usual[name], value: settings[name] }));
  const close = el("button", { class: "icon-button close", type: "button", "data-close": true, "aria-label": gettext("Close") }, icon("close", ""));
  const reset = el("button", { class: "button plain", type: "button" }, gettext("Reset"));
  const go = el("button", { class: "button primary", type: "submit" }, gettext("Save"));
  const form = el("form", {},
    el("h2", { id: "answers-title" }, gettext("Settings of the answers")),
    el("p", { class: "hint" }, gettext("For this conversation, from the next answer on. What is empty is as always.")),
    el("div", { class: "pairs" }, ...fields, seedField(settings.seed)),
    el("p", { class: "form-error", role: "alert", hidden: true }),
    el("div", { class: "actions" }, reset, go),
  );
  const dialog = wireDialog(el("dialog", { id: "answers-dialog", "aria-labelledby": "answers-title" }, close, form));
  reset.addEventListener("click", () => { for (const each of form.querySelectorAll("input")) each.value = ""; find("input", form).focus(); });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    go.disabled = true;
    try {
      await save(filledIn(form));
      dialog.close();
    } catch (error) {
      showError(form, error.message);
    } finally {
      go.disabled = false;
    }
  });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

function filledIn(form) {
  const filled = [...form.querySelectorAll("input")].filter((each) => each.value.trim() !== "");
  return Object.fromEntries(filled.map((each) => [each.name, each.name === "seed" ? each.value.trim() : Number(each.value)]));
}
