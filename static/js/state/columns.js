/**
 * Two answers to one question side by side, each by its own model: the one that ends the open branch, and the
 * one beside it. Pure functions.
 *
 * @import { Message, ShownMessage } from "grokweb/wire/objects.js"
 */

import { place } from "grokweb/state/reducer.js";

/**
 * @typedef {object} Columns
 * @property {Message[]} messages  of the open branch
 * @property {Message | null} beside  the answer in the other column
 */

/**
 * Tells whether two answers stand beside each other.
 * @param {Message | null | undefined} a @param {Message | null | undefined} b
 */
const areColumns = (a, b) =>
  Boolean(a?.column && b?.column && a.column !== b.column && a.parent === b.parent);

/**
 * Returns the messages once `message` is known. A newer answer in the other column is the one that the person
 * has just asked for: it ends the branch from then on, as on the server.
 * @param {Columns} columns @param {Message} message
 * @returns {Columns}
 */
export function placed({ messages, beside }, message) {
  if (beside?.id === message.id) return { messages, beside: { ...beside, ...message } };
  const end = messages.at(-1);
  if (end && end.id !== message.id && areColumns(end, message)) {
    if (!beside) return { messages, beside: message };
    if (message.created_at < beside.created_at) return { messages, beside };
    return { messages: messages.with(-1, message), beside: end };
  }
  const all = place(messages, message);
  return { messages: all, beside: areColumns(all.at(-1), beside) ? beside : null };
}

/**
 * Returns the messages to show: the two answers in the order of their columns.
 * @param {Columns} columns
 * @returns {ShownMessage[]}
 */
export function inColumns({ messages, beside }) {
  const end = messages.at(-1);
  if (!end || !beside) return [...messages];
  /** @type {ShownMessage[]} */
  const both = [{ ...end, side: "chosen" }, { ...beside, side: "other" }];
  if (end.column === 2) both.reverse();
  return [...messages.slice(0, -1), ...both];
}
