/**
 * The "More" menu of a message.
 *
 * @import { MenuItem } from "grokweb/ui/menu.js"
 * @import { ReplyOptions } from "grokweb/wire/frames.js"
 * @import { ShownMessage } from "grokweb/wire/objects.js"
 * @import { MessageActions } from "grokweb/view/transcript.js"
 */

import { fill, gettext } from "grokweb/base/i18n.js";
import { plainText, spokenText } from "grokweb/markdown/plain_text.js";
import { copyText } from "grokweb/ui/clipboard.js";
import { find } from "grokweb/ui/dom.js";
import { showDetails } from "grokweb/view/answer_details.js";
import { canRead, isReading, readAloud, stopReading } from "grokweb/view/read_aloud.js";

const EXACT = { temperature: 0.2 };
const FREE = { temperature: 1.2 };

/**
 * Returns the entry that deletes a message with all below it.
 * @param {ShownMessage} message @param {MessageActions["remove"]} remove
 * @returns {MenuItem}
 */
export const removeItem = (message, remove) =>
  ({ name: "trash", words: gettext("Delete from here"), danger: true, run: () => remove(message) });

/**
 * Returns the entry that pins a message, so that each prompt has it, or unpins it.
 * @param {ShownMessage} message @param {MessageActions["pin"]} pin
 * @returns {MenuItem}
 */
export const pinItem = (message, pin) => (message.pinned
  ? { name: "pin", words: gettext("Unpin message"), run: () => pin(message, false) }
  : { name: "pin", words: gettext("Pin message"), run: () => pin(message, true) });

/**
 * Returns the entries for an answer; `button` is the one that opened the menu.
 * @param {ShownMessage} message @param {string} text  as it is shown
 * @param {MessageActions & { edit: () => void }} actions @param {HTMLElement} button
 * @returns {MenuItem[]}
 */
export function answerMenu(message, text, actions, button) {
  const remove = removeItem(message, actions.remove);
  if (message.hidden) return [remove];
  const pin = text || message.pinned ? [pinItem(message, actions.pin)] : [];
  const items = [...(text ? textItems(message, actions) : []), ...pin];
  return [...items, ...regenerateItems(message, actions, button), remove];
}

/**
 * @param {ShownMessage} message @param {MessageActions & { edit: () => void }} actions
 * @returns {MenuItem[]}
 */
function textItems(message, { edit, mayAsk, report }) {
  const { id, text } = message;
  const items = [
    ...(mayAsk() ? [{ name: "pencil", words: gettext("Edit"), run: edit }] : []), // not while an answer is written
    { name: "copy", words: gettext("Copy as text"), run: () => { copyAsText(text); } },
  ];
  if (canRead()) {
    items.push(isReading(id)
      ? { name: "close", words: gettext("Stop reading"), run: stopReading }
      : { name: "speaker", words: gettext("Read aloud"), run: () => { readAloud(id, spokenText(text)); } });
  }
  items.push(
    { name: "flag", words: gettext("Report"), run: () => report(message) },
    { name: "info", words: gettext("Details"), run: () => { showDetails(message); } },
  );
  return items;
}

/**
 * @param {ShownMessage} message
 * @param {MessageActions} actions
 * @param {HTMLElement} button
 * @returns {MenuItem[]}
 */
function regenerateItems(message, { models, regenerate, regenerateAs }, button) {
  const others = models.length > 1 ? models.filter((each) => each.slug !== message.generation?.model) : [];
  const item = (/** @type {string} */ words, /** @type {ReplyOptions} */ params) =>
    ({ name: "again", words, run: () => regenerate(message, params) });
  return [
    item(gettext("Ask again, more exactly"), EXACT),
    item(gettext("Ask again, more freely"), FREE),
    ...others.map(({ name, slug }) => item(fill(gettext("Ask again with %(model)s"), { model: name }), { model: slug })),
    { name: "again", words: gettext("Ask again as…"), run: () => regenerateAs(message, button) },
  ];
}

/** @param {string} markdown */
async function copyAsText(markdown) {
  await copyText(plainText(markdown));
  find("[data-announce]").textContent = gettext("Copied");
}
