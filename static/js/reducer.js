/** What frames do to a reply and to the list of messages: pure functions, the rules of docs/protocol.md. */

import { sha256 } from "grokweb/sha256.js";

const TRIES = 2; // whole texts fetched again before the page is told to read the saved message

/** A reply of which nothing has been seen yet. `resume` is the number to ask from, null when nothing is missing. */
export function blank(messageId, generationId = null) {
  return {
    messageId, generationId, seq: 0, text: "", status: "live", reason: "", words: "", place: null,
    resume: null, tries: 0, broken: false,
  };
}

/** The state after `frame` (token, queued or done). The same object means that nothing changed. */
export function apply(state, frame) {
  if (frame.message_id !== state.messageId || state.status !== "live") return state;
  if (frame.generation_id && state.generationId && frame.generation_id !== state.generationId) return state;
  if (frame.type === "token") return applyToken(state, frame);
  if (frame.type === "queued") return { ...state, place: { position: frame.position, estimate: frame.estimate } };
  if (frame.type === "done") return applyDone(state, frame);
  return state;
}

function applyToken(state, frame) {
  if (frame.seq <= state.seq) return state; // a replay after a reconnect
  if (frame.after !== state.seq) return missing(state, state.seq); // lost some
  return { ...state, seq: frame.seq, text: state.text + frame.text, place: null, resume: null };
}

function applyDone(state, frame) {
  if (frame.seq > state.seq) return missing(state, state.seq);
  const whole = codePoints(state.text) === frame.length && sha256(state.text) === frame.sha256;
  const ended = {
    ...state, status: frame.status, reason: frame.reason ?? "", words: frame.words ?? "", place: null, resume: null,
  };
  if (whole) return ended;
  if (state.tries < TRIES) return { ...state, seq: 0, text: "", resume: 0, tries: state.tries + 1 };
  return { ...ended, broken: true }; // two resumes did not help: the saved message is the truth
}

/** Ask once for a gap, not at every frame behind it. */
const missing = (state, after) => (state.resume === null ? { ...state, resume: after } : state);

/** Length in code points, as the server counts it; `.length` counts UTF-16 units. */
export function codePoints(text) {
  let n = text.length;
  for (let i = 0; i < text.length - 1; i++) {
    if ((text.charCodeAt(i) & 0xfc00) === 0xd800 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) { n--; i++; }
  }
  return n;
}

/** The messages on screen once `message` is known: changed in place, added, or the start of another branch. */
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

/** Older messages that were loaded before, then the newest page as the server has it now. */
export function merge(messages, fresh) {
  if (!fresh.length) return fresh;
  const at = messages.findIndex((each) => each.id === fresh[0].id);
  return at > 0 ? [...messages.slice(0, at), ...fresh] : fresh;
}
