/**
 * Applies frames to a reply and to the list of messages: pure functions, the rules of docs/protocol.md.
 * tests/protocol/cases.json has them as a table, for this module and for the client of the drills alike.
 *
 * @import { DoneFrame, ReplyFrame, ServerFrame, TokenFrame } from "grokweb/wire/frames.js"
 * @import { Kind, Message, Status, ToolCall } from "grokweb/wire/objects.js"
 */

import { sha256 } from "grokweb/base/sha256.js";
import { codePoints } from "grokweb/base/text.js";
import { withCall } from "grokweb/state/calls.js";

const STEP = 10 ** 9; // numbers of one step; chat/turns/event_positions.py has the same
const TRIES = 2; // whole texts fetched again before the page is told to read the saved message

/**
 * Consecutive tokens of one kind: `text` of the answer, or what is kept apart from it.
 * @typedef {object} Part
 * @property {Kind} kind
 * @property {number} after  number of the token before it
 * @property {string} text
 * @property {number} [duration_ms]  of a thought, as far as it is known
 *
 * A reply that is being written.
 * @typedef {object} Reply
 * @property {string} messageId
 * @property {string | null | undefined} generationId
 * @property {number} run  how often the text started again with other words
 * @property {number} seq  number of the last token held
 * @property {string} text  of the answer, in all tokens held
 * @property {Part[]} parts  all tokens held, in order
 * @property {Status} status
 * @property {string} reason
 * @property {string} words  why it failed, in the reader's language
 * @property {{ position: number, estimate: number | null } | null} place  in the queue; null once tokens come
 * @property {number | null} resume  the number after which tokens were asked for; null once the answer has
 *   come
 * @property {number} asks  counts the resumes this state wants: whenever it rises, ask from number `resume`
 * @property {number} gapSeq  `seq` of the frame that showed the gap
 * @property {number} tries  whole texts fetched again
 * @property {boolean} broken  the text does not fit its hash: read the saved message
 * @property {ToolCall[]} calls  of tools, in order
 * @property {boolean} saved  `text` is the saved text, whole, with what it continues
 */

/**
 * Returns a reply of which nothing has been seen yet.
 * @param {string} messageId @param {string | null} [generationId]
 * @returns {Reply}
 */
export function blank(messageId, generationId = null) {
  return {
    messageId, generationId, run: 0, seq: 0, text: "", parts: [], status: "live", reason: "", words: "",
    place: null, resume: null, asks: 0, gapSeq: 0, tries: 0, broken: false, calls: [], saved: false,
  };
}

/**
 * Returns the state after `frame` (token, queued, call, done or message). The same object means that nothing
 * changed.
 * @template {Reply} R
 * @param {R} state @param {ServerFrame} frame
 * @returns {R}
 */
export function apply(state, frame) {
  if (state.status !== "live" || messageIdOf(frame) !== state.messageId) return state;
  if (frame.type === "message") return applySaved(state, frame.message);
  if (frame.type === "call") {
    const calls = withCall(state.calls, frame.call);
    return calls === state.calls ? state : { ...state, calls };
  }
  if (frame.type === "queued") {
    return { ...state, place: { position: frame.position, estimate: frame.estimate } };
  }
  if (frame.type !== "token" && frame.type !== "done") return state;
  if (frame.generation_id && state.generationId && frame.generation_id !== state.generationId) return state;
  const run = frame.run ?? 0;
  if (run < state.run) return state;
  const current = run > state.run ? startedAgain(state, run, frame) : state;
  return frame.type === "token" ? applyToken(current, frame) : applyDone(current, frame);
}

/**
 * The step that the frame is of starts again with other words: what is held of it is dropped.
 * @template {Reply} R
 * @param {R} state @param {number} run @param {TokenFrame | DoneFrame} frame
 * @returns {R}
 */
function startedAgain(state, run, frame) {
  const first = Math.floor((frame.type === "token" ? frame.after : frame.seq) / STEP) * STEP;
  const kept = withParts(state, state.parts.filter((part) => part.after < first));
  return { ...kept, run, seq: Math.min(state.seq, first), resume: null, tries: 0 };
}

/**
 * Returns the id of the message that a frame is about.
 * @param {ServerFrame} frame
 */
export function messageIdOf(frame) {
  if (frame.type === "message") return frame.message.id;
  return "message_id" in frame ? frame.message_id : undefined;
}

/**
 * Returns the state on a new connection, which is asked from the last number held; older questions are void.
 * @template {Reply} R
 * @param {R} state
 * @returns {R}
 */
export const reconnected = (state) => ({ ...state, resume: null });

/**
 * @template {Reply} R
 * @param {R} state @param {TokenFrame} frame
 * @returns {R}
 */
function applyToken(state, frame) {
  if (frame.seq <= state.seq) return repeated(state);
  if (frame.after === state.seq) return extended(state, frame);
  const at = state.parts.findIndex((part) => part.after === frame.after);
  // Redis lost data: the text starts again with this part.
  if (at >= 0) return extended(withParts(state, state.parts.slice(0, at)), frame);
  return missed(state, frame);
}

/**
 * @template {Reply} R
 * @param {R} state @param {TokenFrame} frame
 * @returns {R}
 */
function extended(state, { after, seq, text, kind = "text", duration_ms = 0 }) {
  const last = state.parts.at(-1);
  const parts = last?.kind === kind
    ? state.parts.with(-1, timed({ ...last, text: last.text + text }, duration_ms))
    : [...state.parts, timed({ kind, after, text }, duration_ms)];
  const answer = kind === "text" ? state.text + text : state.text;
  return { ...state, seq, parts, text: answer, place: null, resume: null };
}

/**
 * Returns the part with this much added to its duration.
 * @param {Part} part @param {number} ms
 * @returns {Part}
 */
const timed = (part, ms) => (ms ? { ...part, duration_ms: (part.duration_ms ?? 0) + ms } : part);

/**
 * @template {Reply} R
 * @param {R} state @param {Part[]} parts
 * @returns {R}
 */
const withParts = (state, parts) =>
  ({ ...state, parts, text: joined(parts.filter((part) => part.kind === "text")) });

/** @param {Part[]} parts */
const joined = (parts) => parts.map((part) => part.text).join("");

/**
 * A replay after a reconnect; or the log was written again in other pieces, and what was asked for is void.
 * @template {Reply} R
 * @param {R} state
 * @returns {R}
 */
const repeated = (state) => (state.resume === null ? state : { ...state, resume: null });

/**
 * Tokens were lost. They are asked for once, not again at the pieces that were on their way behind the first.
 * @template {Reply} R
 * @param {R} state @param {TokenFrame} frame
 * @returns {R}
 */
function missed(state, frame) {
  const inFlight = state.resume !== null && frame.after >= state.gapSeq;
  return inFlight ? state : ask(state, state.seq, frame.seq);
}

/**
 * @template {Reply} R
 * @param {R} state @param {number} resume @param {number} gapSeq
 * @returns {R}
 */
const ask = (state, resume, gapSeq) => ({ ...state, resume, gapSeq, asks: state.asks + 1 });

/**
 * @template {Reply} R
 * @param {R} state @param {DoneFrame} frame
 * @returns {R}
 */
function applyDone(state, frame) {
  const ended = {
    ...state, status: frame.status, reason: frame.reason ?? "", words: frame.words ?? "",
    place: null, resume: null,
  };
  const lacks = frame.seq > state.seq;
  const held = joined(state.parts);
  if (!lacks && codePoints(held) === frame.length && sha256(held) === frame.sha256) return ended;
  if (state.tries === TRIES) return { ...ended, broken: true }; // the saved message is the truth
  const again = { ...state, tries: state.tries + 1 };
  return lacks ? ask(again, state.seq, frame.seq) : ask({ ...withParts(again, []), seq: 0 }, 0, frame.seq);
}

/**
 * The reply ended while this page was not connected.
 * @template {Reply} R
 * @param {R} state @param {Message} message
 * @returns {R}
 */
function applySaved(state, message) {
  if (message.status === "live") return state;
  return {
    ...state, status: message.status, reason: message.reason ?? "",
    text: message.text, parts: partsOf(message), seq: message.generation?.seq ?? state.seq,
    place: null, resume: null, calls: message.calls ?? [], saved: true,
  };
}

/**
 * Returns what a reply has written behind what its message began with: a thought that it continues is one
 * with its own first words.
 * @param {{ kind: Kind, text: string, duration_ms?: number }[]} begun
 * @param {{ kind: Kind, text: string, duration_ms?: number }[]} parts
 */
export function continuing(begun, parts) {
  const last = begun.at(-1);
  const [first, ...rest] = parts;
  if (last?.kind !== "thought" || first?.kind !== "thought") return [...begun, ...parts];
  const spent = (last.duration_ms ?? 0) + (first.duration_ms ?? 0);
  const whole = { ...last, text: last.text + first.text, ...(spent ? { duration_ms: spent } : {}) };
  return [...begun.slice(0, -1), whole, ...rest];
}

/**
 * Returns the parts of a reply that are not text of its answer, as a saved message has them.
 * @param {{ kind: Kind, text: string, duration_ms?: number }[]} parts
 * @param {string} begun  the text that the reply continued
 */
export function otherParts(parts, begun) {
  const found = [];
  let offset = codePoints(begun);
  for (const { kind, text, duration_ms } of parts) {
    if (kind === "text") offset += codePoints(text);
    else found.push({ kind, text, offset, duration_ms });
  }
  return found;
}

/**
 * Returns the parts of a saved message, text and others, in order.
 * @param {Message} message
 * @returns {Part[]}
 */
function partsOf(message) {
  const text = Array.from(message.text); // offsets count code points
  /** @type {Part[]} */
  const parts = [];
  let at = 0;
  /** @param {number} end */
  const addText = (end) => {
    if (end <= at) return;
    parts.push({ kind: "text", after: 0, text: text.slice(at, end).join("") });
    at = end;
  };
  for (const { kind, text: words, offset, duration_ms } of message.parts ?? []) {
    addText(offset);
    parts.push({ kind, after: 0, text: words, duration_ms });
  }
  addText(text.length);
  return parts;
}

/**
 * Returns the messages on screen once `message` is known: changed in place, added, or the start of another
 * branch.
 * @param {Message[]} messages @param {Message} message
 */
export function place(messages, message) {
  const at = messages.findIndex((each) => each.id === message.id);
  if (at >= 0) return messages.with(at, { ...messages[at], ...message });
  const last = messages.at(-1);
  // A message that is not newer than what is shown is a change on a branch that is not open here.
  if (last && message.created_at < last.created_at) return messages;
  const parent = messages.findIndex((each) => each.id === message.parent);
  if (parent < 0) return message.parent === null ? [message] : messages;
  return [...messages.slice(0, parent + 1), message];
}

/**
 * Returns older messages that were loaded before, then the newest page as the server has it now.
 * @param {Message[]} messages @param {Message[]} fresh
 */
export function merge(messages, fresh) {
  if (!fresh.length) return fresh;
  const at = messages.findIndex((each) => each.id === fresh[0].id);
  return at > 0 ? [...messages.slice(0, at), ...fresh] : fresh;
}
