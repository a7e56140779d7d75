import assert from "node:assert/strict";
import { test } from "node:test";

import { randomId } from "grokweb/base/random_id.js";
import { Replies } from "grokweb/state/replies.js";
import { afterClose, delay, isKnown, PageSocket } from "grokweb/wire/socket.js";
import { FakeSocket } from "./fake_socket.mjs";

/**
 * @import { AskingFrame, DoneFrame, ServerFrame } from "grokweb/wire/frames.js"
 * @import { SocketHandlers } from "grokweb/wire/socket.js"
 */

/** Holds a page's socket, the websockets it has opened, and a clock that the test advances. */
class World {
  now = 0;
  made = 0; // timers
  /** @type {Map<number, { run: () => void, at: number }>} */
  timers = new Map();
  /** @type {FakeSocket[]} */
  sockets = [];
  /** @type {ServerFrame[]} */
  frames = [];
  /** @type {string[]} */
  states = [];
  /** @type {string[]} */
  refusals = [];

  /** @param {Partial<SocketHandlers>} [options] */
  constructor(options = {}) {
    const { sockets } = this;
    const setTimer = (/** @type {() => void} */ run, /** @type {number} */ ms) => {
      this.timers.set(++this.made, { run, at: this.now + ms });
      return this.made;
    };
    const clearTimer = (/** @type {number} */ id) => this.timers.delete(id);
    class Socket extends FakeSocket {
      constructor() { super(); sockets.push(this); }
    }
    this.page = new PageSocket({
      url: "ws://x/ws/",
      socket: /** @type {any} */ (Socket),
      timers: /** @type {any} */ ({ setTimeout: setTimer, clearTimeout: clearTimer }),
      random: () => 1,
      live: () => [],
      onframe: (frame) => this.frames.push(frame),
      onstate: (state) => this.states.push(state),
      onrefused: (action) => this.refusals.push(action),
      ...options,
    });
  }

  /** Lets time pass: runs the timers that are due, in their order. @param {number} ms */
  wait(ms) {
    const until = this.now + ms;
    for (;;) {
      const passed = [...this.timers].filter(([, timer]) => timer.at <= until);
      const due = passed.sort((a, b) => a[1].at - b[1].at)[0];
      if (!due) break;
      this.timers.delete(due[0]);
      this.now = due[1].at;
      due[1].run();
    }
    this.now = until;
  }

  /** Returns the newest websocket. */
  socket() {
    const newest = this.sockets.at(-1);
    assert.ok(newest);
    return newest;
  }

  hello() { this.socket().say({ type: "hello" }); }
}

/** @param {string} client_id @returns {AskingFrame} */
const send = (client_id) => ({ type: "send", client_id, conversation: null, parent: null, content: "hi" });

test("the delay doubles to 30 s, half of it by chance", () => {
  assert.deepEqual([0, 1, 2, 3].map((n) => delay(n, () => 0)), [250, 500, 1000, 2000]);
  assert.deepEqual([0, 1, 2, 3].map((n) => delay(n, () => 1)), [500, 1000, 2000, 4000]);
  assert.equal(delay(50, () => 1), 30_000);
  for (let i = 0; i < 100; i++) assert.ok(delay(4) >= 4000 && delay(4) <= 8000);
});

test("each close code means to log in, to reload or to reconnect", () => {
  assert.deepEqual([4401, 4403, 1006, 1012, 1013, 1000, 4400].map(afterClose), ["login", "reload", ...Array(5).fill("reconnect")]);
});

test("ids are random and within 64 characters", () => {
  assert.match(randomId(), /^[0-9a-f]{32}$/);
  assert.notEqual(randomId(), randomId());
});

test("a frame sent before the socket is open waits for hello", () => {
  const world = new World();
  world.page.connect();
  world.page.ask(send("a"));
  assert.deepEqual(world.socket().sent, []);
  world.hello();
  assert.deepEqual(world.socket().sent.map((each) => each.client_id), ["a"]);
});

test("a send without its ack goes out again with the same client_id, an answered one does not", () => {
  const world = new World();
  world.page.connect();
  world.hello();
  world.page.ask(send("a"));
  world.page.ask(send("b"));
  world.socket().say({ type: "ack", client_id: "a", ref: "a" });
  world.socket().end(1006);
  world.wait(1000);
  world.hello();
  assert.deepEqual(world.socket().sent.map((each) => each.client_id), ["b"]);
  world.socket().say({ type: "error", code: "busy", client_id: "b" });
  world.socket().end(1006);
  world.wait(1000);
  world.hello();
  assert.deepEqual(world.socket().sent, []);
});

test("every live reply is resumed from its last token, and a stop is repeated until done", () => {
  const world = new World({ live: () => [["m", 7, 2], ["n", 0, 0]] });
  world.page.connect();
  world.hello();
  world.page.stop("m");
  world.socket().end(1012);
  world.wait(600);
  world.hello();
  const sent = world.socket().sent;
  const resumed = sent.filter((each) => each.type === "resume").map((each) => [each.message_id, each.after, each.run]);
  assert.deepEqual(resumed, [["m", 7, 2], ["n", 0, 0]]);
  assert.equal(sent.at(-1).type, "stop");
  world.socket().say({ type: "done", message_id: "m" });
  world.socket().end(1012);
  world.wait(600);
  world.hello();
  assert.ok(!world.socket().types().includes("stop"));
});

test("a page that is visible says so on every connection, a hidden one only when that changes", () => {
  const world = new World();
  const visible = () => world.socket().sent.filter(({ type }) => type === "visible").map((frame) => frame.visible);
  world.page.connect();
  world.page.show(true); // before the socket is open
  world.hello();
  world.page.show(false);
  assert.deepEqual(visible(), [true, false]);
  world.page.drop(true);
  world.hello();
  assert.deepEqual(visible(), []);
  world.page.show(true);
  assert.deepEqual(visible(), [true]);
});

test("failed tries wait longer each time; hello resets them", () => {
  const world = new World();
  world.page.connect();
  /** @type {number[]} */
  const times = [];
  for (let i = 0; i < 5; i++) {
    world.socket().end(1006);
    const before = world.sockets.length;
    const start = world.now;
    while (world.sockets.length === before) world.wait(50);
    times.push(world.now - start);
  }
  assert.deepEqual(times, [500, 1000, 2000, 4000, 8000]);
  world.hello();
  world.socket().end(1006);
  world.wait(500);
  assert.equal(world.sockets.length, 7);
});

test("close codes 4401 and 4403 end the connection for good", () => {
  for (const [code, asks] of /** @type {const} */ ([[4401, "login"], [4403, "reload"]])) {
    const world = new World();
    world.page.connect();
    world.hello();
    world.socket().end(code);
    world.wait(100_000);
    world.page.reconnectNow();
    assert.deepEqual([world.refusals, world.sockets.length], [[asks], 1]);
  }
});

test("a connection that says nothing and a send that is never answered are given up", () => {
  const world = new World();
  world.page.connect();
  world.wait(10_500);
  assert.equal(world.sockets.length, 2);
  world.hello();
  world.page.ask(send("a"));
  world.wait(15_000);
  world.wait(500);
  world.hello();
  assert.equal(world.sockets.length, 3);
  assert.deepEqual(world.socket().sent.map((each) => each.client_id), ["a"]);
});

test("late frames of an old socket are ignored", () => {
  const world = new World();
  world.page.connect();
  const old = world.socket();
  world.hello();
  world.page.drop(true);
  world.frames.length = 0;
  old.say({ type: "token" });
  old.end(1006);
  assert.deepEqual([world.frames, world.sockets.length], [[], 2]);
});

test("a frame that closed the socket as too large comes back as an error, not for ever", () => {
  const world = new World();
  world.page.connect();
  world.hello();
  world.page.ask(send("a"));
  world.socket().end(1009);
  assert.deepEqual(world.frames.at(-1), { type: "error", code: "bad_frame", words: "", client_id: "a" });
  world.wait(1000);
  world.hello();
  assert.deepEqual(world.socket().sent, []);
});

test("a gap in a reply is asked for once, and its end announced once", () => {
  /** @type {[string, number, number][]} */
  const asked = [];
  /** @type {string[]} */
  const ends = [];
  const replies = new Replies({
    resume: (...what) => asked.push(what), changed: () => {}, ended: (reply) => ends.push(reply.text),
  });
  replies.track("m", "g", "c");
  assert.deepEqual(asked, [["m", 0, 0]]);
  const token = (/** @type {number} */ after, /** @type {number} */ seq, /** @type {string} */ text) =>
    replies.take({ type: "token", message_id: "m", generation_id: "g", after, seq, text });
  token(0, 1, "a");
  token(2, 3, "c");
  token(3, 4, "d");
  assert.deepEqual(asked.slice(1), [["m", 1, 0]]);
  token(1, 4, "bcd");
  /** @type {DoneFrame} */
  const done = {
    type: "done", message_id: "m", generation_id: "g", status: "stopped", reason: "stopped", words: "",
    usage: { prompt_tokens: 1, completion_tokens: 4 }, seq: 4, length: 4,
    sha256: "88d4266fd4e6338d13b845fcf289579d209c897823b9217da3e161936f031589",
  };
  replies.take(done);
  replies.take(done);
  assert.deepEqual([ends, replies.live()], [["abcd"], []]);
});

test("a page knows whether its address is one of the server's", () => {
  const addresses = "https://chat.example.org http://localhost:8000 http://plain.example:80";
  for (const origin of ["https://chat.example.org", "http://localhost:8000", "http://plain.example"]) assert.ok(isKnown(origin, addresses), origin);
  for (const origin of ["http://chat.example.org", "https://localhost:8000", "http://localhost", "http://localhost:8001", "null"]) {
    assert.ok(!isKnown(origin, addresses), origin);
  }
});

test("a link that has ended neither connects nor reports a loss", () => {
  const world = new World();
  world.page.end();
  world.page.connect();
  world.page.reconnectNow();
  world.page.drop(true);
  world.wait(60_000);
  assert.equal(world.sockets.length, 0);
  assert.deepEqual(world.states, []);
});
