/**
 * Makes messages for tests; fields that a test does not name are filled in.
 *
 * @import { Message } from "grokweb/wire/objects.js"
 */

/**
 * Makes a message of conversation "c" whose text is its id.
 * @param {string} id @param {string | null} parent
 * @param {number} second  0 to 9: when it was created
 * @param {Partial<Message>} [more]
 * @returns {Message}
 */
export const message = (id, parent, second, more = {}) => ({
  id, conversation: "c", parent, role: "assistant", text: id, status: "complete", hidden: false,
  generation: null, reason: "", siblings: [id], created_at: `2026-01-01T00:00:0${second}+00:00`, ...more,
});

/** Returns the ids of messages, separated by spaces. @param {{ id: string }[]} list */
export const ids = (list) => list.map((each) => each.id).join(" ");
