/**
 * Keeps the gauge and the line in the transcript true: what the next prompt will leave out.
 *
 * @import { ChatPage } from "grokweb/chat/context.js"
 * @import { Message, ShownMessage } from "grokweb/wire/objects.js"
 */

import { received } from "grokweb/state/chat_state.js";
import { wordsOf } from "grokweb/ui/dom.js";
import { call } from "grokweb/wire/api.js";

/**
 * Asks the server how full the context of the open conversation is.
 * @param {ChatPage} chat
 */
export async function fetchContext(chat) {
  const { store, gauge } = chat;
  const { id, epoch } = store.state;
  if (!id) return;
  try {
    const { context } = await call("GET", `/api/conversations/${id}/context/`);
    if (epoch === store.state.epoch && id === store.state.id) gauge.set(context);
  } catch {
    // The gauge stays as it is until the next answer.
  }
}

/**
 * Takes what a worker has counted, and asks for the rest where it matters.
 * @param {ChatPage} chat @param {{ prompt_tokens: number, completion_tokens: number }} usage
 */
export function contextCounted(chat, usage) {
  chat.gauge.counted(usage);
  if (chat.gauge.isNearlyFull()) fetchContext(chat);
}

/**
 * Edits, undoes or uses a summary again.
 * @param {ChatPage} chat
 * @param {ShownMessage} shown @param {"POST" | "PATCH" | "DELETE"} method @param {{ text: string }} [data]
 */
export async function changeSummary(chat, shown, method, data) {
  await changeMessage(chat, () => call(method, `/api/messages/${shown.id}/summary/`, data ?? {}));
}

/**
 * Pins a message, or unpins it.
 * @param {ChatPage} chat @param {ShownMessage} shown @param {boolean} pinned
 */
export async function changePin(chat, shown, pinned) {
  await changeMessage(chat, () => call(pinned ? "PUT" : "DELETE", `/api/messages/${shown.id}/pin/`));
}

/** @param {ChatPage} chat @param {() => Promise<{ message: Message }>} change */
async function changeMessage(chat, change) {
  try {
    const { message } = await change();
    if (message.conversation !== chat.store.state.id) return;
    chat.store.update(received, [message]);
    fetchContext(chat);
  } catch (error) {
    chat.notices.show("error", wordsOf(error), { kind: "bad" });
  }
}
