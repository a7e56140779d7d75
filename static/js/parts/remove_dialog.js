/**
 * Asks whether a message is to be deleted with all below it.
 *
 * @import { ShownMessage } from "grokweb/wire/objects.js"
 */

import { find, showError, wireDialog, wordsOf } from "grokweb/ui/dom.js";

/**
 * Returns the function that asks whether a message is to be deleted with all below it. `remove(message)`
 * deletes it and may throw an error with words.
 * @param {HTMLDialogElement} dialog @param {(message: ShownMessage) => Promise<void>} remove
 */
export function wireRemoveDialog(dialog, remove) {
  wireDialog(dialog);
  /** @type {ShownMessage | null} */
  let chosen = null;
  find("form", dialog).addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!chosen) return;
    const button = find("[type=submit]", dialog);
    button.disabled = true;
    try {
      await remove(chosen);
      dialog.close();
    } catch (error) {
      showError(dialog, wordsOf(error));
    } finally {
      button.disabled = false;
    }
  });
  return (/** @type {ShownMessage} */ message) => {
    chosen = message;
    showError(dialog);
    dialog.showModal();
  };
}
