/** Stands for a websocket; a test speaks through it. */
export class FakeSocket {
  readyState = 1;
  /** @type {any[]} frames, in the order in which they were sent */
  sent = [];
  /** @type {(event: { data: string }) => void} */
  onmessage = () => {};
  /** @type {(event: { code: number }) => void} */
  onclose = () => {};

  /** @param {string} text */
  send(text) { this.sent.push(JSON.parse(text)); }
  close() { this.readyState = 3; }
  /** @param {object} frame */
  say(frame) { this.onmessage({ data: JSON.stringify(frame) }); }
  /** @param {number} code */
  end(code) { this.readyState = 3; this.onclose({ code }); }
  types() { return this.sent.map((each) => each.type); }
}
