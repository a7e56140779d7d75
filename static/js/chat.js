/** The chat page: wires the rooms together and keeps what is open. Frames are docs/protocol.md. */

import { Announcer } from "grokweb/announce.js";
import { call, loginUrl } from "grokweb/api.js";
import { Composer, Kept } from "grokweb/composer.js";
import { find } from "grokweb/dom.js";
import { wireFind } from "grokweb/find.js";
import { wireAccount, wireSidebar } from "grokweb/frame.js";
import { somethingOpen } from "grokweb/menu.js";
import { Notices } from "grokweb/notices.js";
import { merge, place } from "grokweb/reducer.js";
import { Replies } from "grokweb/replies.js";
import { wireReport } from "grokweb/report.js";
import { Follow, reducedMotion } from "grokweb/scroll.js";
import { ShareDialog } from "grokweb/share.js";
import { Sidebar } from "grokweb/sidebar.js";
import { FRAME_BYTES, Link, randomId } from "grokweb/socket.js";
import { pendingState, Transcript } from "grokweb/transcript.js";
import { gettext } from "grokweb/words.js";

const OFFLINE_AFTER = 1500; // a short break is nobody's business
const ASLEEP_AFTER = 180_000; // no timer ran for so long: the computer slept, and the socket may be dead unseen

const page = JSON.parse(find("#page").textContent);
const app = find("[data-app]");
const main = find("[data-main]");
const siteName = find(".brand").textContent.trim();
const drafts = new Kept(page.user.id, "draft");
const unsent = new Kept(page.user.id, "unsent");

const view = { id: null, epoch: 0, news: 0, messages: [], more: false };
const pendings = new Map(); // client_id -> what was asked and not yet answered
let model = page.model;
let connected = false;
let wasConnected = false;
let offlineTimer = 0;

const notices = new Notices(find("[data-notices]"));
const follow = new Follow(find("[data-scroll]"), find("[data-jump]"));
const announcer = new Announcer(find("[data-announce]"));
const shareDialog = new ShareDialog(find("#share-dialog"));
const openReport = wireReport(find("#report-dialog"), () =>
  notices.show("report", gettext("Thank you. Staff will look at it.")));
const transcript = new Transcript(find("[data-transcript]"), { again: regenerate, report: (message) => openReport(message.id), follow });
const composer = new Composer(find("[data-composer]"), { maxChars: page.max_chars || Infinity, drafts, send, stop });
const replies = new Replies({
  resume: (id, after) => link.resume(id, after),
  changed: (reply, frame) => {
    transcript.grow(reply);
    if (reply.conversation === view.id && frame.type === "token") announcer.follow(reply.messageId, reply.text);
    if (frame.type === "token") notices.clear("model");
  },
  ended,
});
const link = new Link({
  url: `${location.protocol.replace("http", "ws")}//${location.host}/ws/`,
  onframe: received,
  onstate: connection,
  onverdict: (asks) => (asks === "login" ? location.assign(loginUrl()) : location.reload()),
  live: () => replies.live(),
});
const sidebar = new Sidebar(find("[data-conversations]"), {
  conversations: page.conversations,
  next: page.next,
  folders: page.folders,
  notices,
  go,
  renamed: (conversation) => { if (conversation.id === view.id) setTitle(conversation); },
  deleted: (id) => { if (id === view.id) startNew(); },
});
const closeDrawer = wireSidebar(app);

// --- What is open -----------------------------------------------------------------------------------------

function open(conversation, messages, more, shares) {
  view.id = conversation?.id ?? null;
  view.epoch++;
  view.messages = messages;
  view.more = more;
  main.classList.remove("loading");
  setTitle(conversation);
  shareDialog.set(view.id, shares);
  sidebar.open(view.id);
  composer.open(view.id ?? "new");
  for (const name of ["error", "sidebar", "report"]) notices.clear(name);
  for (const message of messages) {
    if (message.status === "live") replies.track(message.id, message.generation?.id, message.conversation);
  }
  draw();
  follow.toEnd();
}

function setTitle(conversation) {
  const title = conversation ? conversation.title || gettext("New chat") : gettext("New chat");
  find("[data-title]").textContent = title;
  document.title = conversation?.title ? `${title} · ${siteName}` : siteName;
  const another = conversation && conversation.model !== model?.slug;
  const name = find(".top .model");
  if (name) name.textContent = another ? conversation.model : model?.name ?? "";
  const demo = find(".demo");
  if (demo) demo.hidden = Boolean(another);
}

const isHere = (pending) => (pending.conversation === null ? view.id === null && pending.epoch === view.epoch : pending.conversation === view.id);

/** Messages of the server, then what this tab has asked for and not yet heard of. */
function shown() {
  const list = [...view.messages];
  const state = pendingState(connected || !wasConnected);
  for (const pending of pendings.values()) {
    if (!isHere(pending)) continue;
    if (pending.type === "send") list.push({ id: pending.client_id, role: "user", text: pending.content, pending: true, state });
    else list.splice(indexOr(list, pending.message_id)); // the second answer takes the place of the first
    if (connected || pending.type !== "send") list.push({ id: `${pending.client_id}-reply`, role: "assistant", text: "", status: "live" });
  }
  return list;
}

function indexOr(list, id) {
  const at = list.findIndex((each) => each.id === id);
  return at < 0 ? list.length : at;
}

const liveHere = () => view.messages.findLast((each) => each.status === "live" && replies.get(each.id));

function draw() {
  const list = shown();
  const wasEmpty = main.classList.contains("empty");
  const isEmpty = !list.length;
  const form = find("[data-composer]");
  const from = form.getBoundingClientRect().top;
  main.classList.toggle("empty", isEmpty);
  find("[data-share]").hidden = !view.messages.length;
  find("[data-earlier]").hidden = !view.more;
  transcript.show(list, replies);
  const waits = [...pendings.values()].some(isHere);
  const live = liveHere();
  composer.setMode(waits ? "wait" : !live ? "send" : live.id === view.stopping ? "stopping" : "stop");
  if (wasEmpty && !isEmpty && !reducedMotion()) {
    const way = from - form.getBoundingClientRect().top;
    form.animate([{ transform: `translateY(${way}px)` }, { transform: "none" }], { duration: 260, easing: "cubic-bezier(0.2, 0, 0, 1)" });
  }
}

async function go(id, { push = true } = {}) {
  closeDrawer();
  if (id === view.id && !main.classList.contains("loading")) return;
  const epoch = ++view.epoch;
  sidebar.open(id);
  main.classList.add("loading");
  try {
    const [detail, { messages, more }] = await Promise.all([
      call("GET", `/api/conversations/${id}/`),
      call("GET", `/api/conversations/${id}/messages/`),
    ]);
    if (epoch !== view.epoch) return;
    if (push) history.pushState(null, "", detail.conversation.url);
    open(detail.conversation, messages, more, detail.shares);
    if (!matchMedia("(hover: none)").matches) composer.area.focus();
  } catch (error) {
    if (epoch !== view.epoch) return;
    main.classList.remove("loading");
    sidebar.open(view.id);
    if (error.status === 404) sidebar.remove(id);
    notices.show("error", error.message, { kind: "bad" });
  }
}

function startNew({ push = true } = {}) {
  closeDrawer();
  if (push && location.pathname !== "/") history.pushState(null, "", "/");
  open(null, [], false, []);
  composer.area.focus();
}

addEventListener("popstate", () => {
  const id = /^\/c\/([0-9a-f-]{36})\/$/.exec(location.pathname)?.[1];
  if (id) go(id, { push: false });
  else startNew({ push: false });
});

/** What was missed while the connection was away; control events are not repeated. */
async function refresh() {
  const { id, epoch, news } = view;
  try {
    const [list, fresh] = await Promise.all([
      call("GET", "/api/conversations/"),
      id ? call("GET", `/api/conversations/${id}/messages/`) : null,
    ]);
    sidebar.refresh(list);
    if (!fresh || epoch !== view.epoch) return;
    if (news !== view.news) { refresh(); return; } // the answer may be older than what a frame brought meanwhile
    const merged = merge(view.messages, fresh.messages);
    if (merged === fresh.messages) view.more = fresh.more;
    view.messages = merged;
    for (const message of merged) {
      if (message.status === "live") replies.track(message.id, message.generation?.id, message.conversation);
      else replies.forget(message.id);
    }
    draw();
  } catch (error) {
    if (error.status === 404 && epoch === view.epoch) gone(id);
  }
}

function gone(id) {
  sidebar.remove(id);
  if (id !== view.id) return;
  startNew();
  notices.show("error", gettext("This conversation was deleted."));
}

// --- Asking -----------------------------------------------------------------------------------------------

function ask(pending) {
  pendings.set(pending.client_id, pending);
  saveUnsent();
  const { type, client_id, conversation, parent, content, message_id } = pending;
  link.ask(type === "send" ? { type, client_id, conversation, parent, content } : { type, client_id, message_id });
}

const saveUnsent = () => unsent.set("asked", pendings.size ? JSON.stringify([...pendings.values()]) : "");

function send(text) {
  const content = text.trim();
  notices.clear("error");
  const pending = {
    type: "send", client_id: randomId(), conversation: view.id, parent: view.messages.at(-1)?.id ?? null, content, epoch: view.epoch,
  };
  if (new TextEncoder().encode(JSON.stringify(pending)).length > FRAME_BYTES) {
    composer.giveBack(text);
    notices.show("error", gettext("This message is too long to be sent."), { kind: "bad" });
    return;
  }
  ask(pending);
  draw();
  follow.toEnd();
  if (matchMedia("(hover: none)").matches) composer.area.blur(); // the phone's keyboard makes room for the answer
}

function regenerate(message) {
  if (composer.mode !== "send") return;
  notices.clear("error");
  ask({ type: "regenerate", client_id: randomId(), conversation: view.id, message_id: message.id, epoch: view.epoch });
  draw();
  follow.toEnd();
}

function stop() {
  const live = liveHere();
  if (!live) return;
  link.stop(live.id);
  view.stopping = live.id;
  draw();
}

// --- Hearing ----------------------------------------------------------------------------------------------

function received(frame) {
  const handlers = { hello, ack: acked, message: told, queued: progress, token: progress, done: finished, error: refused, conversation: changed, folders: (each) => sidebar.folders.set(each.folders) };
  handlers[frame.type]?.(frame);
}

function hello(frame) {
  const named = model?.slug === frame.model.slug;
  model = { ...model, ...frame.model };
  if (!named && !view.id) setTitle(null);
  if (frame.model.running) notices.clear("model");
  else notices.show("model", gettext("The model is not running at the moment. Messages wait until it is back."), { kind: "warn" });
}

function acked(frame) {
  const pending = pendings.get(frame.client_id);
  const here = pending ? isHere(pending) : frame.conversation.id === view.id;
  pendings.delete(frame.client_id);
  saveUnsent();
  sidebar.put(frame.conversation);
  const reply = frame.messages.find((each) => each.id === frame.message_id);
  if (reply?.status === "live") {
    replies.track(frame.message_id, frame.generation_id, frame.conversation.id, { asked: true });
    sidebar.dot(frame.conversation.id, "live");
  }
  if (here && view.id === null) adopt(frame.conversation);
  if (view.id !== frame.conversation.id) return;
  for (const message of frame.messages) view.messages = place(view.messages, message);
  view.news++;
  draw();
}

/** The first message made a conversation: the page stays as it is and gets its address. */
function adopt(conversation) {
  view.id = conversation.id;
  history.pushState(null, "", conversation.url);
  setTitle(conversation);
  shareDialog.set(view.id, []);
  sidebar.open(view.id);
  composer.rename(view.id);
}

/** A message from another tab, or changed by moderation, or settled. */
function told({ message }) {
  if (message.status === "live") {
    replies.track(message.id, message.generation?.id, message.conversation);
    sidebar.dot(message.conversation, "live");
  } else if (replies.get(message.id)) {
    replies.forget(message.id);
    sidebar.dot(message.conversation, message.conversation === view.id ? null : "new");
  }
  if (message.conversation !== view.id) return;
  view.messages = place(view.messages, message);
  view.news++;
  draw();
}

function progress(frame) {
  replies.take(frame);
}

function finished(frame) {
  if (replies.get(frame.message_id)) replies.take(frame);
  else patch(frame.message_id, { reason: frame.reason, words: frame.words }); // settled before we asked: only the words are news
}

function patch(id, news) {
  const at = view.messages.findIndex((each) => each.id === id);
  if (at < 0) return;
  view.messages = view.messages.with(at, { ...view.messages[at], ...news });
  draw();
}

function ended(reply) {
  const { messageId, conversation, text, status, reason, words } = reply;
  const here = conversation === view.id;
  sidebar.dot(conversation, here && !document.hidden ? null : "new");
  if (here) {
    announcer.follow(messageId, text, true);
    announcer.say(status === "complete" ? gettext("The answer is complete.") : words || gettext("The answer has ended early."));
    patch(messageId, { text, status, reason, words });
  }
  if (reply.broken) refresh();
}

function refused(frame) {
  const resumed = /^resume:(.+)$/.exec(frame.ref ?? "")?.[1];
  if (resumed) { resumeFailed(resumed, frame); return; }
  const words = frame.words || gettext("The server did not understand this message.");
  const pending = pendings.get(frame.client_id ?? frame.ref);
  if (pending) {
    const here = isHere(pending);
    pendings.delete(pending.client_id);
    saveUnsent();
    draw();
    if (pending.type === "send") giveBack(pending, here);
    if (frame.code === "not_found" && here && view.id) refresh();
  }
  notices.show("error", words, { kind: "bad" });
}

/** Nothing is lost: the text goes back into the box it came from. */
function giveBack(pending, here) {
  if (here) { composer.giveBack(pending.content); return; }
  const key = pending.conversation ?? "new";
  const kept = [pending.content, drafts.get(key)].filter(Boolean).join("\n\n");
  drafts.set(key, kept);
  if (composer.key === key) composer.open(key);
}

function resumeFailed(id, frame) {
  const reply = replies.get(id);
  if (!reply) return;
  if (frame.code === "not_found" || frame.code === "bad_input") {
    replies.forget(id);
    sidebar.dot(reply.conversation, null);
    if (reply.conversation === view.id) refresh();
    return;
  }
  setTimeout(() => { const again = replies.get(id); if (again) link.resume(id, again.seq); }, (frame.retry_after ?? 2) * 1000);
}

function changed({ conversation, deleted }) {
  if (deleted) { gone(conversation.id); return; }
  sidebar.put(conversation);
  if (conversation.id === view.id) setTitle(conversation);
}

function connection(state) {
  const before = connected;
  connected = state === "open";
  if (connected) {
    clearTimeout(offlineTimer);
    offlineTimer = 0;
    notices.clear("offline");
    if (wasConnected) refresh();
    wasConnected = true;
  } else {
    offlineTimer ||= setTimeout(() => notices.show("offline", gettext("The connection is lost. Trying again…"), {
      kind: "warn", stay: true, action: { words: gettext("Try now"), run: () => link.hurry() },
    }), OFFLINE_AFTER);
  }
  if (before !== connected && pendings.size) draw();
}

// --- The rest of the page -----------------------------------------------------------------------------------

for (const each of document.querySelectorAll("[data-new]")) {
  each.addEventListener("click", (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    startNew();
  });
}
for (const button of document.querySelectorAll("[data-suggestions] button")) {
  button.addEventListener("click", () => { if (composer.mode === "send") send(button.textContent); });
}
find("[data-share]").addEventListener("click", () => shareDialog.open());
find("[data-earlier] button").addEventListener("click", async (event) => {
  const { id, epoch } = view;
  const button = event.currentTarget;
  button.disabled = true;
  try {
    const older = await call("GET", `/api/conversations/${id}/messages/?before=${view.messages[0].id}`);
    if (epoch !== view.epoch) return;
    follow.keep(() => {
      follow.held = false;
      view.messages = [...older.messages, ...view.messages];
      view.more = older.more;
      draw();
    });
  } catch (error) {
    notices.show("error", error.message, { kind: "bad" });
  } finally {
    button.disabled = false;
  }
});
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !event.isComposing && !event.defaultPrevented && composer.mode === "stop" && !somethingOpen()) stop();
  if (event.key.toLowerCase() === "o" && event.shiftKey && (event.ctrlKey || event.metaKey)) { event.preventDefault(); startNew(); }
});
addEventListener("grokweb:goto", (event) => { event.preventDefault(); go(event.detail.conversation); });
addEventListener("online", () => link.hurry());
addEventListener("offline", () => link.drop()); // the socket itself would say nothing for minutes
addEventListener("pageshow", (event) => { if (event.persisted) link.hurry(); });
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  link.hurry();
  if (view.id && !replies.in(view.id).length) sidebar.dot(view.id, null);
});

let awake = Date.now();
setInterval(() => {
  if (Date.now() - awake > ASLEEP_AFTER) link.drop(true);
  awake = Date.now();
}, 10_000);

wireFind();
wireAccount(app, {
  usage: page.usage,
  leaving: () => { for (const kept of [drafts, unsent]) kept.clear(); }, // the next person at this computer finds no drafts
});

open(page.conversation, page.messages, page.more, page.shares);
try {
  for (const pending of JSON.parse(unsent.get("asked") || "[]")) {
    ask({ ...pending, epoch: pending.conversation === null && view.id === null ? view.epoch : -1 });
  }
} catch {
  unsent.set("asked", ""); // not ours, or half written
}
draw();
if (!page.model) notices.show("model", gettext("No model is set up on this server yet."), { kind: "warn", stay: true });
link.connect();
