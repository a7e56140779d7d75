/**
 * Saved prompts: chosen under the message box or by "/" in the empty one; {{words}} in them are asked for.
 *
 * @import { Composer } from "grokweb/parts/composer.js"
 * @import { Notices } from "grokweb/ui/notices.js"
 * @typedef {{ id: string, name: string, text: string }} SavedPrompt
 */

import { gettext } from "grokweb/base/i18n.js";
import { anchorFor } from "grokweb/parts/narrow_layout.js";
import { openChoices } from "grokweb/ui/choice_menu.js";
import { closeButton, el, find, wireDialog, wordsOf } from "grokweb/ui/dom.js";
import { call } from "grokweb/wire/api.js";

const EDIT_PROMPTS = "/settings/answers/#prompts";
const VARIABLE = /\{\{\s*([^{}\n]{1,60}?)\s*\}\}/g;
const SHOWN = 80; // characters of a text in the list

/** @param {string} text */
export const variablesOf = (text) => [...new Set([...text.matchAll(VARIABLE)].map((each) => each[1]))];

/** @param {string} text @param {Record<string, string>} values */
export const fillVariables = (text, values) => text.replace(VARIABLE, (_, name) => values[name] ?? "");

/** @param {string} text */
const shorten = (text) => (text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text);

/**
 * @param {HTMLElement} button @param {Composer} composer
 * @param {{ any: boolean, notices: Notices }} options  any: this person has some; else "/" is an ordinary
 *   character
 */
export function wireSavedPrompts(button, composer, { any, notices }) {
  const { area } = composer;
  let loading = false;

  const insert = (/** @type {string} */ text, /** @type {boolean} */ typed) => {
    // letters may have followed before the list was there
    const isCommand = typed && /^\/\S*$/.test(area.value);
    if (isCommand || ["", "/"].includes(area.value.trim())) composer.fillIn(text);
    else composer.add(text);
    area.focus();
  };
  const use = (/** @type {SavedPrompt} */ { name, text }, /** @type {boolean} */ typed) => {
    const names = variablesOf(text);
    if (names.length) askVariables(name, names, (values) => insert(fillVariables(text, values), typed));
    else insert(text, typed);
  };
  const offer = async ({ typed = false } = {}) => {
    if (loading) return;
    loading = true;
    try {
      /** @type {{ prompts: SavedPrompt[] }} */
      const { prompts } = await call("GET", "/api/prompts/");
      const edit = {
        name: "pencil",
        words: prompts.length ? gettext("Edit prompts") : gettext("Write a prompt"),
        run: () => location.assign(EDIT_PROMPTS),
      };
      openChoices(anchorFor(button), {
        label: gettext("Prompts"),
        choices: prompts.map((each) => ({ value: each, name: each.name, about: shorten(each.text) })),
        pick: (prompt) => use(prompt, typed),
        more: [edit],
      });
    } catch (error) {
      notices.show("error", wordsOf(error), { kind: "bad" });
    } finally {
      loading = false;
    }
  };

  button.addEventListener("click", () => offer());
  area.addEventListener("input", (event) => {
    const isTyped = /** @type {InputEvent} */ (event).inputType === "insertText";
    if (any && isTyped && area.value === "/") offer({ typed: true });
  });
}

/** @param {string} title @param {string[]} names @param {(values: Record<string, string>) => void} done */
function askVariables(title, names, done) {
  const fields = names.map((name, n) => {
    const input = el("textarea", { id: `variable-${n}`, rows: "1", dir: "auto", required: true });
    const label = el("label", { for: `variable-${n}`, dir: "auto" }, name);
    return { name, input, box: el("div", { class: "field" }, label, input) };
  });
  const cancel = el("button", { class: "button plain", type: "button", "data-close": true }, gettext("Cancel"));
  const submit = el("button", { class: "button primary", type: "submit" }, gettext("Insert"));
  const form = el("form", {},
    el("h2", { id: "variables-title", dir: "auto" }, title),
    ...fields.map((each) => each.box),
    el("div", { class: "actions" }, cancel, submit));
  const dialog = wireDialog(el("dialog", { "aria-labelledby": "variables-title" }, closeButton(""), form));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    dialog.close();
    done(Object.fromEntries(fields.map(({ name, input }) => [name, input.value])));
  });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  find("textarea", dialog).focus();
}
