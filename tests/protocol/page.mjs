// Runs cases of the table through the page's own socket, list of replies and reducer: each line of standard
// input is {reload, frames}; each line of the output is the state at the end and what was asked for.
import { createInterface } from "node:readline";

import { Replies } from "grokweb/state/replies.js";
import { PageSocket } from "grokweb/wire/socket.js";

function play({ reload, frames }) {
  const asks = [];
  let socket = null;
  let end = null;
  class Socket {
    constructor() { this.readyState = 1; socket = this; }
    send(text) { const frame = JSON.parse(text); if (frame.type === "resume") asks.push(frame.after); }
    close() {}
    say(frame) { this.onmessage({ data: JSON.stringify(frame) }); }
  }
  const replies = new Replies({
    resume: (id, after) => link.resume(id, after), changed: () => {}, ended: (reply) => { end = reply; },
  });
  const link = new PageSocket({
    url: "ws://x/ws/", socket: Socket, timers: { setTimeout: () => 0, clearTimeout: () => {} }, live: () => replies.live(),
    onframe: (frame) => replies.take(frame), onstate: () => {}, onrefused: () => {},
  });
  const connect = () => { link.connect(); socket.say({ type: "hello" }); };
  connect();
  replies.track("m", "g", "c", { subscribed: !reload });
  for (const frame of frames) {
    if (frame.type !== "reconnect") socket.say(frame);
    else { socket.onclose({ code: 1006 }); connect(); }
  }
  const { text, seq, status, reason, words, place, broken } = end ?? replies.get("m");
  return { text, seq, status, reason, words, place: place && [place.position, place.estimate], broken, asks };
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(play(JSON.parse(line)))}\n`);
}
