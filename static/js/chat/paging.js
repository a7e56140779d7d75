/**
 * Loads long conversations page by page, upwards and downwards from where the reader is.
 *
 * @import { ChatPage } from "grokweb/chat/context.js"
 * @import { MessagePage } from "grokweb/wire/objects.js"
 */

import { appended, prepended, replaced } from "grokweb/state/chat_state.js";
import { find, wordsOf } from "grokweb/ui/dom.js";
import { call } from "grokweb/wire/api.js";

/**
 * Fetches a part of the open branch. Returns whether it came and is still wanted.
 * @param {ChatPage} chat @param {string} query @param {(page: MessagePage) => void} put
 */
async function fetchPage({ store, notices }, query, put) {
  const { id, epoch } = store.state;
  try {
    const page = await call("GET", `/api/conversations/${id}/messages/?${query}`);
    if (epoch === store.state.epoch) put(page);
    return epoch === store.state.epoch;
  } catch (error) {
    notices.show("error", wordsOf(error), { kind: "bad" });
    return false;
  }
}

/** @param {ChatPage} chat */
function loadEarlier(chat) {
  const { store, follow } = chat;
  return fetchPage(chat, `before=${store.state.messages[0].id}`, (page) => follow.keep(() => {
    follow.following = false;
    store.update(prepended, page);
  }));
}

/** @param {ChatPage} chat */
function loadLater(chat) {
  const { store, follow } = chat;
  return fetchPage(chat, `after=${store.state.messages.at(-1)?.id}`, (page) => {
    follow.following = false;
    store.update(appended, page);
  });
}

/**
 * Opens the end of the branch. Returns whether it came and is still wanted.
 * @param {ChatPage} chat
 */
export function toNewest(chat) {
  const { store, follow } = chat;
  return fetchPage(chat, "", ({ messages, beside = null, more, later }) => {
    store.update(replaced, { messages, beside, more: Boolean(more), later: Boolean(later) });
    follow.toEnd();
  });
}

/**
 * Wires the buttons at both ends of the messages and the one that leads to the end.
 * @param {ChatPage} chat
 */
export function wirePaging(chat) {
  for (const [name, load] of /** @type {const} */ ([["earlier", loadEarlier], ["later", loadLater]])) {
    const button = find(`[data-${name}] button`);
    button.addEventListener("click", async () => {
      button.disabled = true;
      await load(chat);
      button.disabled = false;
    });
  }
  find("[data-jump]").addEventListener("click", () => { if (chat.store.state.later) toNewest(chat); });
}
