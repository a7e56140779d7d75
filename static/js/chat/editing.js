/**
 * Stores a person's own version of an answer.
 *
 * @import { ChatPage } from "grokweb/chat/context.js"
 * @import { ShownMessage } from "grokweb/wire/objects.js"
 */

import { fetchContext } from "grokweb/chat/context_use.js";
import { received, replaced } from "grokweb/state/chat_state.js";
import { call } from "grokweb/wire/api.js";

/**
 * Stores `text` as another version of an answer and shows it in its place. Throws an ApiError.
 * @param {ChatPage} chat @param {ShownMessage} message @param {string} text
 */
export async function saveEdited(chat, message, text) {
  const { store, transcript, follow } = chat;
  const top = transcript.topOf(message.id);
  const { message: edited } = await call("POST", `/api/messages/${message.id}/edits/`, { text });
  if (edited.conversation !== store.state.id) return;
  store.batch(() => {
    store.update(received, [edited]);
    store.update(replaced, { later: false });
    follow.following = false;
  });
  transcript.putAt(edited.id, top, "left");
  fetchContext(chat);
}
