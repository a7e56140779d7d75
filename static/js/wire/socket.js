/** The one websocket of this tab: connects, reconnects, and repeats what has not been answered. */

/** @import { AskingFrame, ClientFrame, ServerFrame } from "grokweb/wire/frames.js" */

const FIRST_DELAY = 500;
const LONGEST_DELAY = 30_000;
const HELLO_WITHIN = 10_000; // a connection that says nothing is given up
const ACK_WITHIN = 15_000; // a send without an answer: connect anew and send it again, same client_id

/**
 * Returns the milliseconds before attempt number `tries` (0, 1, …): twice as long each time, half of it
 * random.
 * @param {number} tries
 */
export function delay(tries, random = Math.random) {
  const top = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** tries);
  return Math.round(top / 2 + (random() * top) / 2);
}

/**
 * Returns what the page must do after a close code: "login", "reload" or "reconnect" (1006, 1012, 1013 and
 * others).
 * @param {number} code
 * @returns {"login" | "reload" | "reconnect"}
 */
export function afterClose(code) {
  if (code === 4401) return "login";
  if (code === 4403) return "reload";
  return "reconnect";
}

/**
 * Tells whether the server accepts a socket from a page at `origin`.
 * @param {string} origin @param {string} addresses  those that the server knows, separated by spaces
 */
export function isKnown(origin, addresses) {
  return addresses.split(" ").some((each) => each && new URL(each).origin === origin);
}

/**
 * @typedef {object} SocketHandlers
 * @property {(frame: ServerFrame) => void} onframe
 * @property {(state: "open" | "lost") => void} onstate
 * @property {(action: "login" | "reload") => void} onrefused  no new connection will be tried
 * @property {() => [messageId: string, lastToken: number, run: number][]} live  the replies to resume after a
 *   reconnect
 */

export class PageSocket {
  /**
   * @param {SocketHandlers & {
   *   url: string, socket?: new (url: string) => WebSocket,
   *   timers?: Pick<typeof globalThis, "setTimeout" | "clearTimeout">, random?: () => number,
   * }} options
   */
  constructor({
    url, onframe, onstate, onrefused, live, socket = WebSocket, timers = globalThis, random = Math.random,
  }) {
    this.url = url;
    this.onframe = onframe;
    this.onstate = onstate;
    this.onrefused = onrefused;
    this.live = live;
    this.Socket = socket;
    this.timers = timers;
    this.random = random;
    /** @type {Map<string, AskingFrame & { ref: string }>} by client_id, until its ack or error */
    this.outbox = new Map();
    /** @type {boolean | undefined} whether the page is visible; undefined where the server need not know */
    this.visible = undefined;
    /** @type {Set<string>} ids of messages whose reply is to stop, until it is done */
    this.stops = new Set();
    this.tries = 0;
    this.ready = false; // hello has come
    this.over = false;
    /** @type {WebSocket | null} */
    this.ws = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.ackTimer = undefined;
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

  /** Connects now instead of after the delay: the network is back, or the reader asked for it. */
  reconnectNow() {
    if (this.ready || this.over) return;
    this.tries = 0;
    this.drop(true);
  }

  /** Gives this connection up and gets another; whatever still arrives on the old one is ignored. */
  drop(now = false) {
    if (this.over) return;
    const old = this.ws;
    this.ws = null;
    old?.close();
    if (now) {
      this.lost();
      this.connect();
    } else this.reconnectLater();
  }

  /** Ends for good: no connection is made any more. */
  end() {
    this.over = true;
  }

  /** @param {number} code */
  closed(code) {
    const action = afterClose(code);
    if (action !== "reconnect") {
      this.over = true;
      this.timers.clearTimeout(this.timer);
      this.timers.clearTimeout(this.ackTimer);
      this.onrefused(action);
      return;
    }
    // Sending the same frames again would end the same way.
    if (code === 1009 || code === 4400) this.failOutbox();
    this.reconnectLater();
  }

  reconnectLater() {
    this.lost();
    this.timers.clearTimeout(this.timer);
    this.timer = this.timers.setTimeout(() => this.connect(), delay(this.tries++, this.random));
  }

  lost() {
    this.ready = false;
    this.timers.clearTimeout(this.ackTimer);
    this.onstate("lost");
  }

  failOutbox() {
    const frames = [...this.outbox.values()];
    this.outbox.clear();
    for (const { client_id } of frames) {
      this.onframe({ type: "error", code: "bad_frame", words: "", client_id });
    }
  }

  /** @param {ServerFrame} frame */
  receive(frame) {
    if (frame.type === "hello") this.opened();
    if (frame.type === "ack") this.answered(frame.client_id);
    if (frame.type === "error") this.answered(frame.client_id ?? frame.ref);
    if (frame.type === "done") this.stops.delete(frame.message_id);
    this.onframe(frame);
  }

  /** @param {string | undefined} clientId */
  answered(clientId) {
    if (clientId !== undefined) this.outbox.delete(clientId);
    this.expectAck();
  }

  opened() {
    this.timers.clearTimeout(this.timer);
    this.tries = 0;
    this.ready = true;
    if (this.visible) this.show(true); // a new connection counts as hidden
    for (const frame of this.outbox.values()) this.write(frame);
    for (const [id, after, run] of this.live()) this.resume(id, after, run);
    for (const id of this.stops) this.write({ type: "stop", message_id: id });
    this.expectAck();
    this.onstate("open");
  }

  expectAck() {
    this.timers.clearTimeout(this.ackTimer);
    if (!this.ready || !this.outbox.size) return;
    this.ackTimer = this.timers.setTimeout(() => this.drop(), ACK_WITHIN);
  }

  /**
   * Sends a frame that asks for a reply, and again after each reconnect until it is answered.
   * @param {AskingFrame} frame
   */
  ask(frame) {
    const sent = { ...frame, ref: frame.client_id };
    this.outbox.set(frame.client_id, sent);
    if (this.ready) this.write(sent);
    this.expectAck();
  }

  /** @param {string} messageId */
  stop(messageId) {
    this.stops.add(messageId);
    this.write({ type: "stop", message_id: messageId });
  }

  /**
   * Tells the server whether somebody can see the page: then it sends no notification.
   * @param {boolean} visible
   */
  show(visible) {
    this.visible = visible;
    this.write({ type: "visible", visible });
  }

  /**
   * Says whether a call of a tool may be made. If it is lost, the buttons are there after the reconnect.
   * @param {string} call @param {boolean} allow
   */
  decide(call, allow) {
    this.write({ type: "decide", call, allow });
  }

  /**
   * Asks for the tokens after number `after`, once: every reconnect resumes what `live()` names.
   * @param {string} messageId @param {number} after
   */
  resume(messageId, after, run = 0) {
    this.write({ type: "resume", message_id: messageId, after, run, ref: `resume:${messageId}` });
  }

  /** @param {ClientFrame} frame */
  write(frame) {
    if (this.ready && this.ws?.readyState === 1) this.ws.send(JSON.stringify(frame));
  }
}
