/**
 * Edits a message in its place.
 *
 * @typedef {object} EditorWords
 * @property {string} label  of the box
 * @property {string} hint
 * @property {string} save  on the button
 */

import { gettext } from "grokweb/base/i18n.js";
import { isBlank } from "grokweb/base/text.js";
import { el, wordsOf } from "grokweb/ui/dom.js";

/** @returns {EditorWords} */
export const questionWords = () => ({
  label: gettext("Your message"),
  hint: gettext("The message and its answers so far stay as another version."),
  save: gettext("Send"),
});

/** @returns {EditorWords} */
export const answerWords = () => ({
  label: gettext("The answer"),
  hint: gettext("The answer stays as another version. Yours is marked as edited by you, and the model reads it as its own."),
  save: gettext("Save"),
});

/**
 * Puts a box with `text` in the place of `body`. `save(text)` gets what it became; where that is refused, the
 * box stays and says why. `closed()` is called at the end.
 * @param {HTMLElement} body @param {string} text
 * @param {object} options
 * @param {EditorWords} options.words
 * @param {(event: KeyboardEvent) => boolean} options.isSaveKey
 * @param {(text: string) => Promise<void>} options.save
 * @param {() => void} options.closed
 */
export function editInPlace(body, text, { words, isSaveKey, save, closed }) {
  const area = el("textarea", { rows: "1", dir: "auto", "aria-label": words.label });
  area.value = text;
  const submit = el("button", { class: "button primary", type: "submit" }, words.save);
  const cancel = el("button", { class: "button plain", type: "button" }, gettext("Cancel"));
  const hint = el("p", { class: "hint" }, words.hint);
  const refused = el("p", { class: "form-error", role: "alert", hidden: true });
  const actions = el("div", { class: "actions" }, cancel, submit);
  const form = el("form", { class: "edit" }, area, hint, refused, actions);
  let saving = false;
  const enable = () => {
    submit.disabled = saving || isBlank(area.value) || area.value.trim() === text.trim();
    area.readOnly = saving; // what is saved is what is shown
    cancel.disabled = saving;
  };
  const fit = () => {
    area.style.height = "auto";
    area.style.height = `${area.scrollHeight}px`;
    enable();
  };
  const close = () => { form.replaceWith(body); closed(); };
  const trySave = async () => {
    saving = true;
    enable();
    try {
      await save(area.value);
      close();
    } catch (error) {
      saving = false;
      refused.textContent = wordsOf(error);
      refused.hidden = false;
      enable();
    }
  };
  area.addEventListener("input", fit);
  cancel.addEventListener("click", close);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!submit.disabled) trySave();
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      event.stopPropagation();
      event.preventDefault();
      if (!saving) close();
    }
    if (event.target === area && isSaveKey(event)) { event.preventDefault(); form.requestSubmit(); }
  });
  body.replaceWith(form);
  fit();
  area.focus();
  area.setSelectionRange(area.value.length, area.value.length);
}
