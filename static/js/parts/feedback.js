/**
 * Feedback on answers: one click says good or poor, another withdraws it; a reason and a note to staff can
 * follow.
 *
 * @import { NoticeAction } from "grokweb/ui/notices.js"
 * @import { ShownMessage } from "grokweb/wire/objects.js"
 *
 * @typedef {object} FeedbackHandlers
 * @property {(id: string, value: number) => void} show  shows the feedback on the page: 1, -1, or 0 for none
 * @property {(words: string, action?: NoticeAction) => void} announce  tells that it was stored
 * @property {(words: string) => void} failed  tells why it was not
 */

import { gettext } from "grokweb/base/i18n.js";
import { find, findOptional, showError, valueOf, wireDialog, wordsOf } from "grokweb/ui/dom.js";
import { call } from "grokweb/wire/api.js";

/**
 * Returns giveFeedback(message, 1 | -1).
 * @param {HTMLDialogElement} dialog  asks for the reason
 * @param {FeedbackHandlers} handlers
 */
export function wireFeedback(dialog, { show, announce, failed }) {
  const askReason = wireReasons(dialog, announce);
  let stored = Promise.resolve(); // quick clicks reach the server in their order: the last one counts

  /** @param {string} id @param {number} wanted @param {number} before */
  async function store(id, wanted, before) {
    try {
      await call("POST", `/api/messages/${id}/feedback/`, { value: wanted });
    } catch (error) {
      show(id, before);
      failed(wordsOf(error));
      return;
    }
    if (!wanted) { announce(gettext("The feedback is withdrawn.")); return; }
    announce(gettext("Thank you for your feedback."), { words: gettext("Say why"), run: () => askReason(id, wanted) });
  }

  return (/** @type {ShownMessage} */ { id, feedback: before = 0 }, /** @type {number} */ value) => {
    const wanted = before === value ? 0 : value;
    show(id, wanted);
    stored = stored.then(() => store(id, wanted, before));
    return stored;
  };
}

/**
 * Returns the function that asks for the reason of feedback that is given: ask(message id, 1 | -1).
 * @param {HTMLDialogElement} dialog @param {FeedbackHandlers["announce"]} announce
 */
function wireReasons(dialog, announce) {
  wireDialog(dialog);
  const form = find("form", dialog);
  const button = find("[type=submit]", form);
  let message = "";
  let given = 0;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      const data = { value: given, reason: valueOf(form, "reason"), note: valueOf(form, "note") };
      await call("POST", `/api/messages/${message}/feedback/`, data);
      dialog.close();
      announce(gettext("Thank you. Staff see the reason."));
    } catch (error) {
      showError(form, wordsOf(error));
    } finally {
      button.disabled = false;
    }
  });
  return (/** @type {string} */ id, /** @type {number} */ value) => {
    message = id;
    given = value;
    open(dialog, form, value);
  };
}

/** @param {HTMLDialogElement} dialog @param {HTMLFormElement} form @param {number} value */
function open(dialog, form, value) {
  form.reset();
  showError(form);
  for (const each of /** @type {NodeListOf<HTMLElement>} */ (dialog.querySelectorAll("[data-for]"))) {
    each.hidden = Number(each.dataset.for) !== value;
    const input = findOptional("input", each);
    if (input) input.disabled = each.hidden;
  }
  dialog.setAttribute("aria-labelledby", value > 0 ? "feedback-good" : "feedback-poor");
  dialog.showModal();
}
