/**
 * Calls of tools: several states of one may arrive in any order, and the newest counts.
 *
 * @import { ToolCall } from "grokweb/wire/objects.js"
 */

/**
 * Returns the calls with a new one, or a newer state of one; the same list if it brings nothing new.
 * @param {ToolCall[]} calls @param {ToolCall} call
 */
export function withCall(calls, call) {
  const known = calls.find((each) => each.id === call.id);
  if (known && known.version >= call.version) return calls;
  return [...calls.filter((each) => each.id !== call.id), call]
    .sort((a, b) => a.step - b.step || a.position - b.position);
}

/**
 * Returns the calls of both lists, each in its newest state.
 * @param {ToolCall[]} calls @param {ToolCall[]} others
 */
export const withCalls = (calls, others) => others.reduce(withCall, calls);
