/**
 * Handles the frames of the websocket, one function for each type.
 *
 * @import { ChatPage } from "grokweb/chat/context.js"
 * @import { FrameOf, ServerFrame } from "grokweb/wire/frames.js"
 * @import { TrackedReply } from "grokweb/state/replies.js"
 */

import { fill, gettext } from "grokweb/base/i18n.js";
import { giveBack, sendQueued } from "grokweb/chat/asking.js";
import { contextCounted, fetchContext } from "grokweb/chat/context_use.js";
import { draw, showTitle } from "grokweb/chat/drawing.js";
import { go, gone, refresh } from "grokweb/chat/navigation.js";
import {
  allMessages, answered, created, isHere, isPendingIn, patched, received, revised,
} from "grokweb/state/chat_state.js";
import { withCall, withCalls } from "grokweb/state/calls.js";
import { continuing, otherParts } from "grokweb/state/reducer.js";

const RESUME_AGAIN_SECONDS = 2; // where the server does not say how long to wait

/** @type {{ [T in ServerFrame["type"]]?: (chat: ChatPage, frame: FrameOf<T>) => void }} */
const HANDLERS = {
  hello: onHello,
  ack: onAck,
  message: onMessage,
  removed: onRemoved,
  emptied: onEmptied,
  missed: refreshAfterFrame,
  queued: (chat, frame) => chat.replies.take(frame),
  token: (chat, frame) => chat.replies.take(frame),
  done: onDone,
  call: onCall,
  error: onError,
  storage: (chat, { writable }) => showStorage(chat, writable),
  models: (chat) => { chat.modelStates.refresh(); },
  conversation: onConversation,
  conversation_settings: onConversationSettings,
  folders: (chat, { folders }) => chat.sidebar.folders.set(folders),
};

/**
 * Handles one frame; the page is drawn once, after it. Unknown types are ignored.
 * @param {ChatPage} chat @param {ServerFrame} frame
 */
export function handleFrame(chat, frame) {
  /** @type {((chat: ChatPage, frame: any) => void) | undefined} */
  const handle = HANDLERS[frame.type];
  if (handle) chat.store.batch(() => handle(chat, frame));
}

// --- The connection and the server -------------------------------------------------------------------------

/** @param {ChatPage} chat @param {FrameOf<"hello">} frame */
function onHello(chat, frame) {
  const { data } = chat;
  // Something changed between the page and its first connection; later ones refresh the page anyway.
  if (data.event_number !== null && frame.event_number !== data.event_number) refresh(chat);
  data.event_number = null;
  showStorage(chat, frame.writable !== false);
  chat.modelStates.greet(frame.model);
}

/**
 * Tells that the server's disk is full or read-only, or no longer.
 * @param {ChatPage} chat @param {boolean} writable
 */
function showStorage({ notices }, writable) {
  if (writable) { notices.clear("storage"); return; }
  const words = gettext("The server has no room at the moment: nothing can be sent or saved. You can still read, and what you wrote stays in the box.");
  notices.show("storage", words, { kind: "warn", stay: true });
}

/**
 * Fetches the open conversation again: frames were missed, or something was deleted.
 * @param {ChatPage} chat
 */
function refreshAfterFrame(chat) {
  chat.store.update(revised);
  refresh(chat);
}

// --- Messages ----------------------------------------------------------------------------------------------

/** @param {ChatPage} chat @param {FrameOf<"ack">} frame */
function onAck(chat, frame) {
  const { store, replies, sidebar } = chat;
  const { conversation, messages } = frame;
  chat.notices.clear("storage"); // it was stored
  const pending = store.state.pending.find((each) => each.client_id === frame.client_id);
  const here = pending ? isHere(store.state, pending) : conversation.id === store.state.id;
  store.update(answered, frame.client_id);
  sidebar.put(conversation);
  for (const { id, status, generation, column } of messages) {
    if (status !== "live") continue;
    replies.track(id, generation?.id, conversation.id, { subscribed: true, column });
    sidebar.dot(conversation.id, "live");
  }
  if (here && store.state.id === null) adopt(chat, conversation);
  if (store.state.id === conversation.id) store.update(received, messages);
}

/**
 * The first message has made the new chat a conversation: the page stays as it is and gets its address.
 * @param {ChatPage} chat @param {FrameOf<"ack">["conversation"]} conversation
 */
function adopt(chat, conversation) {
  chat.store.update(created, conversation.id);
  history.pushState(null, "", conversation.url);
  showTitle(conversation);
  chat.shareDialog.set(conversation.id, []);
  chat.settingsBar.open(conversation);
  chat.temporary.open(conversation);
  chat.sidebar.open(conversation.id);
  chat.composer.rename(conversation.id);
}

/**
 * A message came from another tab, was changed by moderation, or was settled.
 * @param {ChatPage} chat @param {FrameOf<"message">} frame
 */
function onMessage(chat, frame) {
  const { message } = frame;
  if (message.status === "live") {
    const { id, generation, conversation, column } = message;
    chat.replies.track(id, generation?.id, conversation, { column });
    chat.sidebar.dot(message.conversation, "live");
  } else chat.replies.take(frame);
  if (message.conversation !== chat.store.state.id) return;
  chat.store.update(received, [message]);
  if (message.summary !== undefined) fetchContext(chat);
}

/** @param {ChatPage} chat @param {FrameOf<"removed">} frame */
function onRemoved(chat, frame) {
  if (frame.conversation === chat.store.state.id) refreshAfterFrame(chat);
}

/** @param {ChatPage} chat @param {FrameOf<"done">} frame */
function onDone(chat, frame) {
  const { replies, store } = chat;
  const reply = replies.get(frame.message_id);
  const isBeside = frame.message_id === store.state.beside?.id;
  const elsewhere = reply && reply.conversation !== store.state.id;
  // It may have come without a token of its own.
  if (frame.status === "complete" && !elsewhere && !isBeside) chat.modelStates.answered();
  if (reply?.conversation === store.state.id && !isBeside) contextCounted(chat, frame.usage);
  if (reply) replies.take(frame);
  // the reply was settled before this frame
  else store.update(patched, frame.message_id, { reason: frame.reason, words: frame.words });
}

/** @param {ChatPage} chat @param {FrameOf<"call">} frame */
function onCall({ replies, store }, frame) {
  replies.take(frame);
  const message = allMessages(store.state).find((each) => each.id === frame.message_id);
  if (message) store.update(patched, message.id, { calls: withCall(message.calls ?? [], frame.call) });
}

/**
 * A reply has ended, in any conversation of this tab.
 * @param {ChatPage} chat @param {TrackedReply} reply
 */
export function onReplyEnded(chat, reply) {
  const { store, announcer } = chat;
  const { messageId, conversation, text, parts, status, reason, words, saved } = reply;
  const here = conversation === store.state.id;
  store.batch(() => {
    chat.sidebar.dot(conversation, here && !document.hidden ? null : "new");
    if (here) {
      if (messageId !== store.state.beside?.id) announcer.follow(messageId, text, true);
      const early = words || gettext("The answer has ended early.");
      announcer.say(status === "complete" ? gettext("The answer is complete.") : early);
      const before = saved ? undefined : allMessages(store.state).find((each) => each.id === messageId);
      const begun = before?.text ?? "";
      const others = saved ? {} : { parts: otherParts(continuing(before?.parts ?? [], parts), begun) };
      const calls = saved ? reply.calls : withCalls(before?.calls ?? [], reply.calls);
      const again = reply.run > 0 ? { restarted: true } : {};
      const known = before?.generation;
      const generation = known ? { generation: { ...known, seq: reply.seq } } : {};
      const ending = { calls, status, reason, words };
      const changes = { text: begun + text, ...others, ...again, ...generation, ...ending };
      store.update(patched, messageId, changes);
    }
    if (reply.broken) refresh(chat);
    sendQueuedAfter(chat, reply);
  });
  if (!here) notifyElsewhere(chat, conversation, status);
}

/**
 * Sends what waited for a reply. Beside another answer it waits for both and follows the chosen one; in a
 * conversation that is not open, until that is opened.
 * @param {ChatPage} chat @param {TrackedReply} reply
 */
function sendQueuedAfter(chat, { messageId, conversation, column, status }) {
  const { id, messages, beside } = chat.store.state;
  const end = messages.at(-1);
  const inColumns = end && beside && [end.id, beside.id].includes(messageId);
  if (column && conversation !== id) return;
  if (!inColumns) sendQueued(chat, conversation, { id: messageId, status });
  else if (end.status !== "live" && beside.status !== "live") sendQueued(chat, conversation, end);
}

/**
 * Offers to open another conversation, whose reply has ended.
 * @param {ChatPage} chat @param {string} conversation @param {string} status
 */
function notifyElsewhere(chat, conversation, status) {
  if (isPendingIn(chat.store.state, conversation)) return; // a queued message is sent there
  const title = chat.sidebar.get(conversation)?.title || gettext("New chat");
  const words = status === "complete"
    ? gettext("“%(title)s” has an answer.")
    : gettext("The answer in “%(title)s” has ended early.");
  const action = { words: gettext("Open"), run: () => { go(chat, conversation); } };
  chat.notices.show("elsewhere", fill(words, { title }), { action });
}

// --- Errors ------------------------------------------------------------------------------------------------

/** @param {ChatPage} chat @param {FrameOf<"error">} frame */
function onError(chat, frame) {
  const { store } = chat;
  const resumed = /^resume:(.+)$/.exec(frame.ref ?? "")?.[1];
  if (resumed) { onResumeFailed(chat, resumed, frame); return; }
  const clientId = frame.client_id ?? frame.ref;
  const pending = store.state.pending.find((each) => each.client_id === clientId);
  if (pending) {
    const here = isHere(store.state, pending);
    store.update(answered, clientId);
    if (pending.type === "send") giveBack(chat, pending, here);
    if (frame.code === "not_found" && here && store.state.id) refresh(chat);
  }
  if (frame.code === "model_retired") {
    chat.settingsBar.retire(frame.model, frame.successor ?? null, frame.limited);
  }
  if (frame.code === "storage_full") showStorage(chat, false);
  const words = frame.words || gettext("The server did not understand this message.");
  chat.notices.show("error", words, { kind: "bad" });
}

/** @param {ChatPage} chat @param {string} id @param {FrameOf<"error">} frame */
function onResumeFailed(chat, id, frame) {
  const { replies, socket } = chat;
  const reply = replies.get(id);
  if (!reply) return;
  if (frame.code === "not_found" || frame.code === "bad_input") {
    replies.forget(id);
    chat.sidebar.dot(reply.conversation, null);
    if (reply.conversation === chat.store.state.id) refresh(chat);
    return;
  }
  setTimeout(() => {
    const still = replies.get(id);
    if (still) socket.resume(id, still.seq, still.run);
  }, (frame.retry_after ?? RESUME_AGAIN_SECONDS) * 1000);
}

// --- Conversations -----------------------------------------------------------------------------------------

/** @param {ChatPage} chat @param {FrameOf<"conversation">} frame */
function onConversation(chat, { conversation, deleted }) {
  if (deleted) { gone(chat, conversation.id); return; }
  chat.sidebar.put(conversation);
  if (conversation.id !== chat.store.state.id) return;
  showTitle(conversation);
  chat.settingsBar.open(conversation);
  chat.temporary.open(conversation);
  draw(chat);
}

/**
 * All conversations were deleted, on the settings page.
 * @param {ChatPage} chat
 */
function onEmptied(chat) {
  const { store } = chat;
  store.update(revised);
  if (store.state.id) gone(chat, store.state.id);
  chat.sidebar.restart();
}

/**
 * Another persona or other settings were chosen in another tab.
 * @param {ChatPage} chat @param {FrameOf<"conversation_settings">} frame
 */
function onConversationSettings({ store, settingsBar }, { conversation, conversation_settings: settings }) {
  if (conversation === store.state.id) settingsBar.open(settingsBar.conversation, settings);
}
