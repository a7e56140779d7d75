/**
 * Computes which turns of a branch the next prompt leaves out.
 *
 * @import { ContextTurn, ContextUse } from "grokweb/wire/objects.js"
 */

/**
 * Returns the turns that a prompt of so many tokens leaves out, as inference/text/prompt.py does: whole ones,
 * oldest first, until it has room beside the answer.
 * @param {Pick<ContextUse, "turns" | "room">} context @param {number} all  tokens, with the message to send
 * @returns {ContextTurn[]}
 */
export function turnsLeftOut({ turns = [], room = Infinity }, all) {
  /** @type {ContextTurn[]} */
  const dropped = [];
  let tokens = all;
  for (const turn of turns) {
    if (tokens <= room) break;
    if (turn.pinned) continue;
    tokens -= turn.tokens;
    dropped.push(turn);
  }
  return dropped;
}
