/**
 * Asks for replies: questions, edits, other answers, continuations, messages that wait for the end of a
 * reply; and stops a reply.
 *
 * @import { ChatPage } from "grokweb/chat/context.js"
 * @import { Pending } from "grokweb/state/chat_state.js"
 * @import { AskingFrame, ReplyOptions } from "grokweb/wire/frames.js"
 * @import { AttachedFile, ShownMessage, Status } from "grokweb/wire/objects.js"
 */

import { randomId } from "grokweb/base/random_id.js";
import { draw, liveMessages } from "grokweb/chat/drawing.js";
import { toNewest } from "grokweb/chat/paging.js";
import { asked, pendingHere, stopAsked } from "grokweb/state/chat_state.js";

/** @param {Pending} pending @returns {AskingFrame} */
function frameOf(pending) {
  const { type, client_id, message_id = "", params } = pending;
  if (type === "continue") return { type, client_id, message_id };
  if (type === "regenerate") return { type, client_id, message_id, ...(params && { params }) };
  const { conversation, parent = null, content = "", start, also } = pending;
  const files = pending.files?.map((each) => each.id);
  const options = { ...(files?.length && { files }), ...(start && { start }), ...(also && { also }) };
  return { type, client_id, conversation, parent, content, ...options };
}

/** @param {ChatPage} chat @param {Pending} pending */
function ask({ store, socket }, pending) {
  store.update(asked, pending);
  socket.ask(frameOf(pending));
}

/**
 * Asks a question at the end of the branch, or in the place of `edited`.
 * @param {ChatPage} chat
 * @param {string} text
 * @param {{ edited?: ShownMessage | null, files?: AttachedFile[] }} [options]
 */
export async function send(chat, text, { edited = null, files = [] } = {}) {
  const { store, composer } = chat;
  if (store.state.later && !edited && !(await toNewest(chat))) { composer.giveBack(text, files); return; }
  chat.notices.clear("error");
  const { id, epoch, messages } = store.state;
  ask(chat, {
    type: "send", client_id: randomId(), conversation: id, epoch, content: text.trim(), files,
    parent: edited ? edited.parent ?? null : messages.at(-1)?.id ?? null,
    also: edited ? undefined : chat.alsoAsk.take(),
    start: id ? undefined : chat.temporary.newConversation(chat.settingsBar.newConversation),
  });
  chat.follow.toEnd();
  // a phone's keyboard makes room for the answer
  if (matchMedia("(hover: none)").matches) composer.area.blur();
}

/**
 * Queues a message for the end of the reply; several become one.
 * @param {ChatPage} chat @param {string} text @param {{ files: AttachedFile[] }} options
 */
export function queueMessage(chat, text, { files }) {
  const { id } = chat.store.state;
  if (id === null || !liveMessages(chat).length) { send(chat, text, { files }); return; }
  chat.queued.add(id, text, files);
  draw(chat);
  chat.follow.toEnd();
}

/**
 * Sends what waited for a reply that has ended, or gives it back if there is nothing to follow.
 * @param {ChatPage} chat @param {string} conversation @param {{ id: string, status: Status }} reply
 */
export function sendQueued(chat, conversation, reply) {
  const taken = chat.queued.take(conversation);
  if (!taken) return;
  const { id, epoch } = chat.store.state;
  const { content, files } = taken;
  /** @type {Pending} */
  const pending = {
    type: "send", client_id: randomId(), conversation, epoch, parent: reply.id, content, files,
  };
  if (reply.status === "complete") ask(chat, pending);
  else giveBack(chat, pending, conversation === id);
}

/**
 * @param {ChatPage} chat
 * @param {"regenerate" | "continue"} type
 * @param {ShownMessage} message
 * @param {ReplyOptions} [params]
 */
function askBeside(chat, type, message, params) {
  // One of two answers side by side is asked for again or continued while the other is written.
  if (message.side ? pendingHere(chat.store.state).length : chat.composer.mode !== "send") return;
  chat.notices.clear("error");
  const { id: conversation, epoch } = chat.store.state;
  ask(chat, { type, client_id: randomId(), conversation, message_id: message.id, epoch, params });
  chat.follow.toEnd();
}

/**
 * Asks for another answer beside the first.
 * @param {ChatPage} chat @param {ShownMessage} message @param {ReplyOptions} [params]
 */
export const regenerate = (chat, message, params) => askBeside(chat, "regenerate", message, params);

/**
 * Asks for more of an answer that was cut.
 * @param {ChatPage} chat @param {ShownMessage} message
 */
export const continueReply = (chat, message) => askBeside(chat, "continue", message);

/**
 * Stops one reply.
 * @param {ChatPage} chat @param {{ id: string }} message
 */
export function stopReply(chat, message) {
  chat.socket.stop(message.id);
  chat.store.update(stopAsked, message.id);
}

/** Stops the replies of the open conversation. @param {ChatPage} chat */
export function stop(chat) {
  for (const live of liveMessages(chat)) stopReply(chat, live);
}

/**
 * Asks again for what the page before a reload had asked for.
 * @param {ChatPage} chat @param {Pending[]} unsent
 */
export function restorePending(chat, unsent) {
  for (const pending of unsent) {
    const { id, epoch } = chat.store.state;
    ask(chat, { ...pending, epoch: pending.conversation === null && id === null ? epoch : -1 });
  }
}

/**
 * Puts the text of a question that could not be sent back into the message box it came from.
 * @param {ChatPage} chat @param {Pending} pending @param {boolean} here  whether that box is on the page
 */
export function giveBack({ alsoAsk, composer, drafts, attachments }, pending, here) {
  const { content = "", files, also } = pending;
  if (here) {
    composer.giveBack(content, files);
    if (also) alsoAsk.choose(also);
    return;
  }
  const key = pending.conversation ?? "new";
  drafts.set(key, [content, drafts.get(key)].filter(Boolean).join("\n\n"));
  attachments.giveBack(files, key);
  if (composer.key === key) composer.open(key);
}
