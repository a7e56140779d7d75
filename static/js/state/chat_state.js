/**
 * Describes the state that the chat page shows: the open conversation, its messages, what this tab has asked
 * for and not yet heard of, and whether the websocket is open. Has pure transitions for a store, and
 * functions that read the state.
 *
 * @import { NewConversation, ReplyOptions } from "grokweb/wire/frames.js"
 * @import { AttachedFile, Message, MessagePage, ShownMessage } from "grokweb/wire/objects.js"
 */

import { gettext } from "grokweb/base/i18n.js";
import { inColumns, placed } from "grokweb/state/columns.js";

/**
 * A question, another answer ("regenerate") or more of one ("continue"), asked and not yet answered by the
 * server.
 * @typedef {object} Pending
 * @property {"send" | "regenerate" | "continue"} type
 * @property {string} client_id
 * @property {string | null} conversation  null: a new one
 * @property {number} epoch  of the page when it was asked; it tells several new conversations apart
 * @property {string | null} [parent]  send: the message above
 * @property {string} [content]  send
 * @property {AttachedFile[]} [files]  send
 * @property {NewConversation} [start]  send
 * @property {string} [also]  send: a second model, which answers beside the first
 * @property {string} [message_id]  regenerate, continue
 * @property {ReplyOptions} [params]  regenerate
 */

/**
 * @typedef {object} ChatState
 * @property {string | null} id  the open conversation; null: a new one
 * @property {number} epoch  rises whenever something else is opened; an answer to an older request is dropped
 * @property {number} revision  rises with each frame about the messages; an answer asked before it may be
 *   older
 * @property {Message[]} messages
 * @property {Message | null} beside  the answer of a second model beside the last message
 * @property {boolean} more  there are messages above
 * @property {boolean} later  there are messages below
 * @property {string[]} stopping  ids of the replies that the reader has stopped
 * @property {boolean} connected
 * @property {boolean} wasConnected  at least once since the page was opened
 * @property {Pending[]} pending  in the order in which they were asked
 */

/** @type {ChatState} */
export const INITIAL = Object.freeze({
  id: null, epoch: 0, revision: 0, messages: [], beside: null, more: false, later: false, stopping: [],
  connected: false, wasConnected: false, pending: [],
});

// --- Transitions -------------------------------------------------------------------------------------------

/**
 * Another conversation is open, or a new one (`id` null).
 * @param {ChatState} state @param {string | null} id @param {MessagePage} page
 * @returns {ChatState}
 */
export const opened = (state, id, { messages, beside = null, more, later }) =>
  ({ ...state, id, epoch: state.epoch + 1, messages, beside, more: Boolean(more), later: Boolean(later) });

/**
 * Another conversation has been asked for: answers for this one come too late.
 * @param {ChatState} state
 * @returns {ChatState}
 */
export const left = (state) => ({ ...state, epoch: state.epoch + 1 });

/**
 * The first message has made the new chat a conversation.
 * @param {ChatState} state @param {string} id
 * @returns {ChatState}
 */
export const created = (state, id) => ({ ...state, id });

/**
 * A frame changed something about the messages.
 * @param {ChatState} state
 * @returns {ChatState}
 */
export const revised = (state) => ({ ...state, revision: state.revision + 1 });

/**
 * Messages are new or changed.
 * @param {ChatState} state @param {Message[]} messages
 * @returns {ChatState}
 */
export const received = (state, messages) =>
  ({ ...state, ...messages.reduce(placed, state), revision: state.revision + 1 });

/**
 * The messages are these now; `page` also tells what is above, below and beside them, where that has changed.
 * @param {ChatState} state @param {Partial<MessagePage>} page
 * @returns {ChatState}
 */
export const replaced = (state, page) =>
  ({ ...state, ...(page.messages && { beside: null }), ...page });

/**
 * Older messages came in above.
 * @param {ChatState} state @param {MessagePage} page
 * @returns {ChatState}
 */
export const prepended = (state, { messages, more }) =>
  ({ ...state, messages: [...messages, ...state.messages], more: Boolean(more) });

/**
 * Newer messages came in below.
 * @param {ChatState} state @param {MessagePage} page
 * @returns {ChatState}
 */
export const appended = (state, { messages, beside = null, later }) =>
  ({ ...state, messages: [...state.messages, ...messages], beside, later: Boolean(later) });

/**
 * Some fields of a message changed; one that is not shown changes nothing.
 * @param {ChatState} state @param {string} id @param {Partial<Message>} changes
 * @returns {ChatState}
 */
export function patched(state, id, changes) {
  if (state.beside?.id === id) return { ...state, beside: { ...state.beside, ...changes } };
  const at = state.messages.findIndex((each) => each.id === id);
  if (at < 0) return state;
  return { ...state, messages: state.messages.with(at, { ...state.messages[at], ...changes }) };
}

/**
 * The reader stops a reply.
 * @param {ChatState} state @param {string} id
 * @returns {ChatState}
 */
export const stopAsked = (state, id) => ({ ...state, stopping: [...state.stopping, id] });

/**
 * The websocket opened or was lost.
 * @param {ChatState} state @param {boolean} connected
 * @returns {ChatState}
 */
export const connectionChanged = (state, connected) =>
  (state.connected === connected && (state.wasConnected || !connected)
    ? state
    : { ...state, connected, wasConnected: state.wasConnected || connected });

/**
 * This tab asks for something.
 * @param {ChatState} state @param {Pending} pending
 * @returns {ChatState}
 */
export const asked = (state, pending) => ({ ...state, pending: [...state.pending, pending] });

/**
 * The server has answered what this tab asked; ids of other tabs change nothing.
 * @param {ChatState} state @param {string | undefined} clientId
 * @returns {ChatState}
 */
export function answered(state, clientId) {
  const rest = state.pending.filter((each) => each.client_id !== clientId);
  return rest.length === state.pending.length ? state : { ...state, pending: rest };
}

// --- Reading it --------------------------------------------------------------------------------------------

/**
 * Tells whether something was asked in the conversation that is open.
 * @param {ChatState} state @param {Pending} pending
 */
export function isHere(state, pending) {
  if (pending.conversation !== null) return pending.conversation === state.id;
  return state.id === null && pending.epoch === state.epoch;
}

/** Returns the messages of the open branch, and the answer beside its end. @param {ChatState} state */
export const allMessages = ({ messages, beside }) => (beside ? [...messages, beside] : messages);

/** @param {ChatState} state */
export const pendingHere = (state) => state.pending.filter((each) => isHere(state, each));

/** @param {ChatState} state @param {string} conversation */
export const isPendingIn = (state, conversation) =>
  state.pending.some((each) => each.conversation === conversation);

/** Tells whether a question was asked that the server has not answered yet. @param {ChatState} state */
const asksFurther = (state) => pendingHere(state).some((each) => each.type === "send");

/** @param {Pending} pending @param {Partial<ShownMessage>} begun @returns {ShownMessage} */
const replyTo = (pending, begun) =>
  ({ id: `${pending.client_id}-reply`, role: "assistant", text: "", ...begun, status: "live" });

/** @param {ShownMessage[]} list @param {string | null | undefined} id */
function indexOrEnd(list, id) {
  const at = list.findIndex((each) => each.id === id);
  return at < 0 ? list.length : at;
}

/**
 * Returns the messages to show: those of the server, then what it has not answered yet, then what waits for
 * the answer.
 * @param {ChatState} state
 * @param {{ content: string, files: AttachedFile[], takeBack: () => void } | null} queued
 * @returns {ShownMessage[]}
 */
export function shownMessages(state, queued) {
  /** @type {ShownMessage[]} */
  const list = asksFurther(state) ? [...state.messages] : inColumns(state);
  const offline = !state.connected && state.wasConnected;
  const note = offline ? gettext("Not sent yet. It will be sent when the connection is back.") : "";
  for (const pending of pendingHere(state)) {
    /** @type {Partial<ShownMessage>} */
    let begun = { text: "" };
    if (pending.type === "send") { // an edit takes the place of what was there
      const { client_id: id, content = "", files, parent } = pending;
      list.splice(parent === null ? 0 : indexOrEnd(list, parent) + 1);
      list.push({ id, role: "user", text: content, files, pending: true, state: note });
    } else { // so does another answer
      const at = indexOrEnd(list, pending.message_id);
      const { text = "", side, column, generation } = list[at] ?? {};
      begun = { text: pending.type === "continue" ? text : "", ...(side && { side, column, generation }) };
      list.splice(at, begun.side ? 1 : list.length, replyTo(pending, begun));
      continue;
    }
    if (state.connected) list.push(replyTo(pending, begun));
  }
  if (queued) {
    const { content, files, takeBack } = queued;
    const words = gettext("Will be sent when the answer is complete.");
    list.push({ id: "queued", role: "user", text: content, files, pending: true, state: words, takeBack });
  }
  return list;
}
