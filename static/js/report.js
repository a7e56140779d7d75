/** Telling staff that a message should not stand. */

import { call } from "grokweb/api.js";
import { find, showError, wireDialog } from "grokweb/dom.js";

export function wireReport(dialog, thank) {
  wireDialog(dialog);
  const form = find("form", dialog);
  let message = null;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = find("[type=submit]", form);
    button.disabled = true;
    try {
      await call("POST", "/api/reports/", { message_id: message, reason: form.elements.reason.value, note: form.elements.note.value });
      dialog.close();
      thank();
    } catch (error) {
      showError(form, error.message);
    } finally {
      button.disabled = false;
    }
  });
  return (id) => {
    message = id;
    form.reset();
    showError(form);
    dialog.showModal();
  };
}
