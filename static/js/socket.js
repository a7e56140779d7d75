/** The one websocket of this tab: connects, comes back, and loses nothing that was asked of it. */

const FIRST_DELAY = 500;
const LONGEST_DELAY = 30_000;
const HELLO_WITHIN = 10_000; // a connection that says nothing is given up
const ACK_WITHIN = 15_000; // a send without an answer: connect anew and send it again, same client_id
export const FRAME_BYTES = 60 * 1024; // the server takes 64 KiB (docs/protocol.md)

/** Milliseconds before try number `tries` (0, 1, …): twice as long each time, half of it by chance. */
export function delay(tries, random = Math.random) {
  const top = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** tries);
  return Math.round(top / 2 + (random() * top) / 2);
}

/** What a close code asks of the page: "login", "reload" or "again". */
export function verdict(code) {
  if (code === 4401) return "login";
  if (code === 4403) return "reload";
  return "again"; // 1006, 1012 and 1013 among them
}

/** A random id; crypto.randomUUID is missing on plain http addresses. */
export function randomId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
}

/** Whether the server takes a socket from a page at `origin`; `addresses` are those it knows, between spaces. */
export function isKnown(origin, addresses) {
  return addresses.split(" ").some((each) => each && new URL(each).origin === origin);
}

export class Link {
  /**
   * `onframe(frame)`, `onstate("open" | "lost")` and `onverdict("login" | "reload")` tell the page;
   * `live()` gives [message id, last token held] of every reply to resume after a reconnect.
   */
  constructor({ url, onframe, onstate, onverdict, live, socket = WebSocket, timers = globalThis, random = Math.random }) {
    Object.assign(this, { url, onframe, onstate, onverdict, live, Socket: socket, timers, random });
    this.outbox = new Map(); // client_id -> frame, until its ack or error
    this.stops = new Set(); // message ids, until they are done
    this.tries = 0;
    this.ready = false; // said hello
    this.over = false;
  }

  connect() {
    if (this.over) return;
    this.timers.clearTimeout(this.timer);
    const ws = new this.Socket(this.url);
    this.ws = ws;
    this.ready = false;
    this.timer = this.timers.setTimeout(() => this.drop(), HELLO_WITHIN);
    ws.onmessage = (event) => { if (ws === this.ws) this.receive(JSON.parse(event.data)); };
    ws.onclose = (event) => { if (ws === this.ws) this.closed(event.code); };
    ws.onerror = () => {}; // a close event always follows
  }

  /** Try now instead of when the delay is over: the network is back, or the reader asked. */
  hurry() {
    if (this.ready || this.over) return;
    this.tries = 0;
    this.drop(true);
  }

  /** Give this connection up and get another; what it still says no longer counts. */
  drop(now = false) {
    if (this.over) return;
    const old = this.ws;
    this.ws = null;
    old?.close();
    if (now) {
      this.lost();
      this.connect();
    } else this.again();
  }

  /** No connection is wanted any more. */
  end() {
    this.over = true;
  }

  closed(code) {
    const asks = verdict(code);
    if (asks !== "again") {
      this.over = true;
      this.timers.clearTimeout(this.timer);
      this.timers.clearTimeout(this.ackTimer);
      this.onverdict(asks);
      return;
    }
    // Sending the same frames again would end the same way.
    if (code === 1009 || code === 4400) this.fail();
    this.again();
  }

  again() {
    this.lost();
    this.timers.clearTimeout(this.timer);
    this.timer = this.timers.setTimeout(() => this.connect(), delay(this.tries++, this.random));
  }

  lost() {
    this.ready = false;
    this.timers.clearTimeout(this.ackTimer);
    this.onstate("lost");
  }

  fail() {
    const frames = [...this.outbox.values()];
    this.outbox.clear();
    for (const { client_id } of frames) this.onframe({ type: "error", code: "bad_frame", words: "", client_id });
  }

  receive(frame) {
    if (frame.type === "hello") this.opened();
    if (frame.type === "ack" || frame.type === "error") {
      this.outbox.delete(frame.client_id ?? frame.ref);
      this.expectAck();
    }
    if (frame.type === "done") this.stops.delete(frame.message_id);
    this.onframe(frame);
  }

  opened() {
    this.timers.clearTimeout(this.timer);
    this.tries = 0;
    this.ready = true;
    for (const frame of this.outbox.values()) this.write(frame);
    for (const [id, after] of this.live()) this.resume(id, after);
    for (const id of this.stops) this.write({ type: "stop", message_id: id });
    this.expectAck();
    this.onstate("open");
  }

  expectAck() {
    this.timers.clearTimeout(this.ackTimer);
    if (this.ready && this.outbox.size) this.ackTimer = this.timers.setTimeout(() => this.drop(), ACK_WITHIN);
  }

  /** `send` or `regenerate`: kept until answered, so a lost connection changes nothing. */
  ask(frame) {
    this.outbox.set(frame.client_id, { ...frame, ref: frame.client_id });
    if (this.ready) this.write(this.outbox.get(frame.client_id));
    this.expectAck();
  }

  stop(messageId) {
    this.stops.add(messageId);
    this.write({ type: "stop", message_id: messageId });
  }

  /** Not kept: every reconnect resumes what `live()` names. */
  resume(messageId, after) {
    this.write({ type: "resume", message_id: messageId, after, ref: `resume:${messageId}` });
  }

  write(frame) {
    if (this.ready && this.ws?.readyState === 1) this.ws.send(JSON.stringify(frame));
  }
}
