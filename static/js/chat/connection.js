/**
 * Keeps the websocket connected while the page is open, and shows a notice while it is not.
 *
 * @import { ChatPage } from "grokweb/chat/context.js"
 */

import { fill, gettext } from "grokweb/base/i18n.js";
import { refresh } from "grokweb/chat/navigation.js";
import { connectionChanged } from "grokweb/state/chat_state.js";
import { isKnown } from "grokweb/wire/socket.js";

const OFFLINE_AFTER = 1500; // milliseconds; a shorter break is not worth a notice
// no timer ran for so long: the computer slept, and the socket may be dead unseen
const ASLEEP_AFTER = 180_000;
const CHECK_EVERY = 10_000;

let offlineTimer = 0;

/** @param {ChatPage} chat @param {"open" | "lost"} status  of the websocket */
export function onConnection(chat, status) {
  const { store, notices } = chat;
  const { wasConnected } = store.state;
  store.update(connectionChanged, status === "open");
  if (status === "open") {
    clearTimeout(offlineTimer);
    offlineTimer = 0;
    notices.clear("offline");
    if (wasConnected) refresh(chat);
    return;
  }
  const showOffline = () => notices.show("offline", gettext("The connection is lost. Trying again…"), {
    kind: "warn", stay: true, action: { words: gettext("Try now"), run: () => chat.socket.reconnectNow() },
  });
  offlineTimer ||= setTimeout(showOffline, OFFLINE_AFTER);
}

/**
 * Connects, unless the server does not know the page's address: it would refuse the socket, and browsers hide
 * why.
 * @param {ChatPage} chat
 */
export function connectIfKnown({ socket, main, notices }) {
  const addresses = main.dataset.addresses ?? "";
  if (isKnown(location.origin, addresses)) {
    socket.connect();
    return;
  }
  socket.end();
  const words = gettext("Answers cannot reach this page: its address is not in GROKWEB_URLS. Open %(address)s instead, or ask whoever runs this site to add this address.");
  notices.show("address", fill(words, { address: addresses.split(" ")[0] }), { kind: "bad", stay: true });
}

/**
 * Reconnects when the network or the reader is back.
 * @param {ChatPage} chat @param {boolean} [hasPush]  the server sends notifications while no page is visible
 */
export function wireConnection({ socket, store, replies, sidebar }, hasPush = false) {
  if (hasPush) {
    const tell = () => socket.show(!document.hidden);
    document.addEventListener("visibilitychange", tell);
    tell();
    // The service worker (templates/worker.js) looks for the page of a conversation.
    const answer = (/** @type {MessageEvent} */ { ports }) => ports[0]?.postMessage(location.pathname);
    navigator.serviceWorker?.addEventListener("message", answer);
  }
  addEventListener("online", () => socket.reconnectNow());
  addEventListener("offline", () => socket.drop()); // the socket itself would say nothing for minutes
  addEventListener("pageshow", (event) => { if (event.persisted) socket.reconnectNow(); });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    socket.reconnectNow();
    const { id } = store.state;
    if (id && !replies.in(id).length) sidebar.dot(id, null);
  });
  let awake = Date.now();
  setInterval(() => {
    if (Date.now() - awake > ASLEEP_AFTER) socket.drop(true);
    awake = Date.now();
  }, CHECK_EVERY);
}
