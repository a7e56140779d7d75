/**
 * The prompt that was sent for an answer, in the dialog of its details. It is fetched when it is opened.
 *
 * @typedef {object} SentPrompt  GET /api/messages/<id>/prompt/
 * @property {{ role: string, text: string, shown: boolean, thought?: string }[]} messages  `thought`: sent
 *     with it
 * @property {boolean} exact  it is what was sent, by its hash
 * @property {number} left_out  the oldest turns that did not fit
 * @property {number} images  that were sent with it
 * @property {number} images_left_out  of the conversation: the model did not get them
 */

import { number } from "grokweb/base/format.js";
import { fill, gettext, ngettext } from "grokweb/base/i18n.js";
import { el, wordsOf } from "grokweb/ui/dom.js";
import { call } from "grokweb/wire/api.js";

/** @type {Record<string, () => string>} */
const ROLES = {
  system: () => gettext("Instructions to the model"),
  user: () => gettext("You"),
  assistant: () => gettext("Answer"),
  tool: () => gettext("Result of a tool"),
};

/** @param {string} messageId */
export function sentPrompt(messageId) {
  const content = el("div", { class: "stack", "aria-live": "polite" });
  const box = el("details", { class: "sent-prompt" }, el("summary", {}, gettext("The prompt that was sent")), content);
  box.addEventListener("toggle", async () => {
    if (!(/** @type {HTMLDetailsElement} */ (box).open) || content.childElementCount) return;
    content.replaceChildren(el("p", { class: "hint" }, gettext("One moment…")));
    try {
      const { prompt } = await call("GET", `/api/messages/${messageId}/prompt/`);
      content.replaceChildren(...drawPrompt(prompt));
    } catch (error) {
      content.replaceChildren(el("p", { class: "form-error", role: "alert" }, wordsOf(error)));
    }
  });
  return box;
}

/** @param {SentPrompt | null} prompt */
function drawPrompt(prompt) {
  if (!prompt) return [el("p", { class: "hint" }, gettext("It is not known: older versions did not store what it was made of."))];
  const { left_out: n } = prompt;
  const remarks = [
    prompt.exact
      ? gettext("Word for word what was sent.")
      : gettext("Not word for word what was sent: a part of it has been hidden or deleted since."),
  ];
  if (n) {
    remarks.push(fill(ngettext(
      "%(n)s question with its answer, the oldest, did not fit: the model did not read it.",
      "The %(n)s oldest questions with their answers did not fit: the model did not read them.",
      n,
    ), { n: number(n) }));
  }
  const { images, images_left_out: unseen } = prompt;
  if (images) {
    remarks.push(fill(ngettext("%(n)s image was sent with it.", "%(n)s images were sent with it.", images), { n: number(images) }));
  }
  if (unseen) {
    remarks.push(fill(ngettext(
      "%(n)s image was left out: the model does not see images, or there were too many.",
      "%(n)s images were left out: the model does not see images, or there were too many.",
      unseen,
    ), { n: number(unseen) }));
  }
  return [
    ...remarks.map((words) => el("p", { class: "hint" }, words)),
    el("ol", { class: "prompt-messages" }, ...prompt.messages.map(drawMessage)),
  ];
}

/** @param {SentPrompt["messages"][number]} message */
function drawMessage({ role, text, shown, thought }) {
  const name = el("strong", {}, (ROLES[role] ?? ROLES.tool)());
  if (!shown) return el("li", {}, name, el("p", { class: "hint" }, gettext("Not shown: these words are by the staff of this site.")));
  const item = el("li", {}, name);
  if (thought) item.append(el("p", { class: "hint" }, gettext("Thoughts")), el("div", { class: "prompt-text", dir: "auto" }, thought));
  if (thought && text) item.append(el("p", { class: "hint" }, gettext("Text and calls of tools")));
  if (text || !thought) item.append(el("div", { class: "prompt-text", dir: "auto" }, text));
  return item;
}
