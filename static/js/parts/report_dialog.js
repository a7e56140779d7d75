/** The dialog that reports a message to staff. */

import { find, showError, valueOf, wireDialog, wordsOf } from "grokweb/ui/dom.js";
import { call } from "grokweb/wire/api.js";

/**
 * Returns the function that opens the dialog for a message; `reported()` is called when the report was
 * stored.
 * @param {HTMLDialogElement} dialog @param {() => void} reported
 */
export function wireReportDialog(dialog, reported) {
  wireDialog(dialog);
  const form = find("form", dialog);
  let message = "";
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = find("[type=submit]", form);
    button.disabled = true;
    try {
      const data = { message_id: message, reason: valueOf(form, "reason"), note: valueOf(form, "note") };
      await call("POST", "/api/reports/", data);
      dialog.close();
      reported();
    } catch (error) {
      showError(form, wordsOf(error));
    } finally {
      button.disabled = false;
    }
  });
  return (/** @type {string} */ id) => {
    message = id;
    form.reset();
    showError(form);
    dialog.showModal();
  };
}
