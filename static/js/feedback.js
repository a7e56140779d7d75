/** A verdict on an answer, with a reason and a note to staff. */

import { call } from "grokweb/api.js";
import { find, showError, wireDialog } from "grokweb/dom.js";
import { gettext } from "grokweb/words.js";

/** Returns the function that asks for a message's verdict: judge(message id, 1 | -1). */
export function wireFeedback(dialog, thank) {
  wireDialog(dialog);
  const form = find("form", dialog);
  const back = find("[data-take-back]", dialog);
  let about = null;
  const send = async (data, words) => {
    const buttons = [back, find("[type=submit]", form)];
    for (const each of buttons) each.disabled = true;
    try {
      await call("POST", `/api/messages/${about.id}/feedback/`, data);
      dialog.close();
      thank(words);
    } catch (error) {
      showError(form, error.message);
    } finally {
      for (const each of buttons) each.disabled = false;
    }
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const { reason, note } = form.elements;
    send({ value: about.value, reason: reason.value, note: note.value }, gettext("Thank you for the verdict."));
  });
  back.addEventListener("click", () => send({ value: 0 }, gettext("The verdict is taken back.")));
  return async (id, value) => {
    about = { id, value };
    open(dialog, form, value);
    back.hidden = true;
    try {
      const { feedback } = await call("GET", `/api/messages/${id}/feedback/`);
      if (about.id !== id || !dialog.open) return;
      back.hidden = feedback.value === 0;
      if (feedback.value === value && !form.elements.note.value) fill(form, feedback);
    } catch (error) {
      showError(form, error.message);
    }
  };
}

function open(dialog, form, value) {
  form.reset();
  showError(form);
  for (const each of dialog.querySelectorAll("[data-for]")) {
    each.hidden = Number(each.dataset.for) !== value;
    const input = find("input", each);
    if (input) input.disabled = each.hidden;
  }
  dialog.setAttribute("aria-labelledby", value > 0 ? "feedback-good" : "feedback-poor");
  dialog.showModal();
}

function fill(form, { reason, note }) {
  form.elements.note.value = note;
  const choice = [...form.elements.reason].find((each) => each.value === reason && !each.disabled);
  if (choice) choice.checked = true;
}
