/** What frames do to a reply and to the list of messages: pure functions, the rules of docs/protocol.md.
 *  tests/protocol/cases.json has them as a table, for this module and for the client of the drills alike. */

import { sha256 } from "grokweb/sha256.js";

const TRIES = 2; // whole texts fetched again before the page is told to read the saved message

/** A reply of which nothing has been seen yet. `asks` counts the resumes this state wants: whenever it rises, ask
 *  from number `resume`, which is null again once the answer has come. `heard` is the number that showed the hole. */
export function blank(messageId, generationId = null) {
  return {
    messageId, generationId, seq: 0, text: "", status: "live", reason: "", words: "", place: null,
    resume: null, asks: 0, heard: 0, tries: 0, broken: false, saved: false,
  };
}

/** The state after `frame` (token, queued, done or message). The same object means that nothing changed. */
export function apply(state, frame) {
  if (state.status !== "live" || (frame.message_id ?? frame.message?.id) !== state.messageId) return state;
  if (frame.type === "message") return applySaved(state, frame.message);
  if (frame.generation_id && state.generationId && frame.generation_id !== state.generationId) return state;
  if (frame.type === "token") return applyToken(state, frame);
  if (frame.type === "queued") return { ...state, place: { position: frame.position, estimate: frame.estimate } };
  if (frame.type === "done") return applyDone(state, frame);
  return state;
}

/** A new connection: it is asked from the last number held, and what the old one was asked for is void. */
export const reconnected = (state) => ({ ...state, resume: null });

function applyToken(state, frame) {
  if (frame.seq <= state.seq) return repeated(state);
  if (frame.after === state.seq) return added(state, frame, state.text + frame.text);
  if (frame.after === 0) return added(state, frame, frame.text); // Redis lost data: the text starts again
  return missed(state, frame);
}

const added = (state, { seq }, text) => ({ ...state, seq, text, place: null, resume: null });

/** A replay after a reconnect; or the log was written again in other pieces, and what was asked for is void. */
const repeated = (state) => (state.resume === null ? state : { ...state, resume: null });

/** Some were lost. Asked for once, not again at the pieces that were on their way behind the first. */
function missed(state, frame) {
  const inFlight = state.resume !== null && frame.after >= state.heard;
  return inFlight ? state : ask(state, state.seq, frame.seq);
}

const ask = (state, resume, heard) => ({ ...state, resume, heard, asks: state.asks + 1 });

function applyDone(state, frame) {
  const ended = {
    ...state, status: frame.status, reason: frame.reason ?? "", words: frame.words ?? "", place: null, resume: null,
  };
  const lacks = frame.seq > state.seq;
  if (!lacks && codePoints(state.text) === frame.length && sha256(state.text) === frame.sha256) return ended;
  if (state.tries === TRIES) return { ...ended, broken: true }; // the saved message is the truth
  const again = { ...state, tries: state.tries + 1 };
  return lacks ? ask(again, state.seq, frame.seq) : ask({ ...again, seq: 0, text: "" }, 0, frame.seq);
}

/** It ended while nobody looked: the saved text, whole, with what it continues. */
function applySaved(state, message) {
  if (message.status === "live") return state;
  return {
    ...state, status: message.status, reason: message.reason ?? "", text: message.text,
    seq: message.generation?.seq ?? state.seq, place: null, resume: null, saved: true,
  };
}

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
