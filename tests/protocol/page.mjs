// Runs cases of the table through the page's own socket, list of replies and reducer: each line of standard
// input is {reload, frames}; each line of the output is the state at the end and what was asked for.
import { createInterface } from "node:readline";

import { Replies } from "grokweb/state/replies.js";
import { PageSocket } from "grokweb/wire/socket.js";
import { FakeSocket } from "../js/fake_socket.mjs";

/**
 * @import { Reply } from "grokweb/state/reducer.js"
 * @import { ServerFrame } from "grokweb/wire/frames.js"
 */

/**
 * Plays one case.
 * @param {{ reload: boolean, frames: (ServerFrame | { type: "reconnect" })[] }} one
 */
function play({ reload, frames }) {
  /** @type {FakeSocket[]} */
  const sockets = [];
  /** @type {Reply[]} */
  const ended = [];
  class Socket extends FakeSocket {
    constructor() { super(); sockets.push(this); }
  }
  const replies = new Replies({
    resume: (id, after) => link.resume(id, after),
    changed: () => {},
    ended: (reply) => { ended.push(reply); },
  });
  const link = new PageSocket({
    url: "ws://x/ws/", socket: /** @type {any} */ (Socket), live: () => replies.live(),
    timers: /** @type {any} */ ({ setTimeout: () => 0, clearTimeout: () => {} }),
    onframe: (frame) => replies.take(frame), onstate: () => {}, onrefused: () => {},
  });
  const connect = () => {
    link.connect();
    sockets[sockets.length - 1].say({ type: "hello" });
  };
  connect();
  replies.track("m", "g", "c", { subscribed: !reload });
  for (const frame of frames) {
    const socket = sockets[sockets.length - 1];
    if (frame.type !== "reconnect") socket.say(frame);
    else { socket.end(1006); connect(); }
  }
  const reply = ended.at(-1) ?? replies.get("m");
  if (!reply) throw new Error("the reply is lost");
  const sent = sockets.flatMap((each) => each.sent);
  const asks = sent.filter((each) => each.type === "resume").map((each) => each.after);
  const { text, parts, seq, status, reason, words, place, broken } = reply;
  const called = reply.calls.length ? { calls: reply.calls.map((call) => [call.id, call.status]) } : {};
  const isPlain = parts.every((part) => part.kind === "text");
  const shown = isPlain ? {} : { parts: parts.map((part) => [part.kind, part.text]) };
  const position = place && [place.position, place.estimate];
  return { text, ...shown, ...called, seq, status, reason, words, place: position, broken, asks };
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(play(JSON.parse(line)))}\n`);
}
