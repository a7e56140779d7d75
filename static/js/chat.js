/** The chat page: wires the rooms together and keeps what is open. Frames are docs/protocol.md. */

import { Announcer } from "grokweb/announce.js";
import { call, loginUrl } from "grokweb/api.js";
import { Asked } from "grokweb/asked.js";
import { wireRemoval } from "grokweb/branches.js";
import { Composer, Kept } from "grokweb/composer.js";
import { find, showError, wireDialog } from "grokweb/dom.js";
import { wireFind } from "grokweb/find.js";
import { wireAccount, wireSidebar } from "grokweb/frame.js";
import { somethingOpen } from "grokweb/menu.js";
import { Notices } from "grokweb/notices.js";
import { keepOfflinePage } from "grokweb/offline.js";
import { wirePaging } from "grokweb/paging.js";
import { merge, place } from "grokweb/reducer.js";
import { wirePrompts } from "grokweb/prompts.js";
import { Replies } from "grokweb/replies.js";
import { wireFeedback } from "grokweb/feedback.js";
import { Tray } from "grokweb/files.js";
import { Gauge } from "grokweb/gauge.js";
import { wireReport } from "grokweb/report.js";
import { Follow, reducedMotion } from "grokweb/scroll.js";
import { ShareDialog } from "grokweb/share.js";
import { wireDictation } from "grokweb/speech.js";
import { Sidebar } from "grokweb/sidebar.js";
import { FRAME_BYTES, isKnown, Link } from "grokweb/socket.js";
import { Temporary } from "grokweb/temporary.js";
import { Transcript } from "grokweb/transcript.js";
import { Voice } from "grokweb/voice.js";
import { fill, gettext } from "grokweb/words.js";

const CHARACTERS_A_TOKEN = 4; // as chat/turns/services.py
const OFFLINE_AFTER = 1500; // a short break is nobody's business
const ASLEEP_AFTER = 180_000; // no timer ran for so long: the computer slept, and the socket may be dead unseen

const given = JSON.parse(find("#page").textContent);
const app = find("[data-app]");
const main = find("[data-main]");
const siteName = find(".brand").textContent.trim();
const drafts = new Kept(given.user.id, "draft");

const view = { id: null, epoch: 0, news: 0, messages: [], more: false, later: false };
let connected = false;
let wasConnected = false;
let offlineTimer = 0;

const asked = new Asked(given.user.id, view, (frame) => link.ask(frame));
const notices = new Notices(find("[data-notices]"));
const follow = new Follow(find("[data-scroll]"), find("[data-jump]"));
const announcer = new Announcer(find("[data-announce]"));
const shareDialog = new ShareDialog(find("#share-dialog"));
const openReport = wireReport(find("#report-dialog"), () =>
  notices.show("report", gettext("Thank you. Staff will look at it.")));
const openFeedback = wireFeedback(find("#feedback-dialog"), (words) => notices.show("report", words));
const transcript = new Transcript(find("[data-transcript]"), {
  does: {
    again: regenerate,
    goOn,
    edited: (message, text) => send(text, { edited: message, files: message.files }),
    mayAsk: () => composer.mode === "send",
    open: openVersion,
    remove: wireRemoval(find("#remove-dialog"), removeBranch, { showError, wireDialog }),
    report: (message) => openReport(message.id),
    judge: (message, value) => openFeedback(message.id, value),
    models: given.models,
    as: (message, button) => voice.offerPersonas(button, undefined, (persona) => regenerate(message, { persona })),
  },
  follow,
});
const maxChars = given.max_chars || Infinity;
const gauge = new Gauge(find("[data-composer]"), { maxChars });
const tray = new Tray(find("[data-composer]"), { limits: given.files, kept: new Kept(given.user.id, "files"), notices, tooLong: (text) => gauge.tooLong(text), changed: (files) => gauge.carry(files) });
const composer = new Composer(find("[data-composer]"), { maxChars, drafts, tray, send, stop, line });
wireDictation(find("[data-dictate]"), (words) => composer.add(words), (words) => notices.show("error", words, { kind: "warn" }));
const voice = new Voice(find("[data-voice]"), {
  models: given.models,
  offers: given.voice,
  notices,
  heard: ({ model: card, tokens }) => {
    composer.maxChars = gauge.maxChars = CHARACTERS_A_TOKEN * card.context_tokens;
    gauge.set({ ...(view.id ? gauge.context : { tokens, exact: !tokens }), limit: card.context_tokens });
    composer.fit();
    const demo = find(".demo");
    if (demo) demo.hidden = !card.is_demo;
  },
});
const temporary = new Temporary(main, {
  kept: (conversation) => {
    sidebar.put(conversation);
    draw();
    notices.show("report", gettext("This chat is kept. You find it in your list."));
    if (!matchMedia("(hover: none)").matches) composer.area.focus();
  },
  failed: (error) => notices.show("error", error.message, { kind: "bad" }),
  unwanted: (id) => sidebar.mover.delete([id]),
});
wirePrompts(find("[data-prompts]"), composer, { any: given.voice.prompts, notices });
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
  conversations: given.conversations,
  next: given.next,
  folders: given.folders,
  notices,
  go,
  renamed: (conversation) => { if (conversation.id === view.id) setTitle(conversation); },
  deleted: (id) => { if (id === view.id) startNew(); },
});
const closeDrawer = wireSidebar(app);

// --- What is open -----------------------------------------------------------------------------------------

function open(conversation, { messages, more, later }, { shares, taken_down: takenDown, context, manner, model }) {
  view.id = conversation?.id ?? null;
  view.epoch++;
  view.messages = messages;
  view.more = more;
  view.later = Boolean(later);
  main.classList.remove("loading");
  setTitle(conversation);
  shareDialog.set(view.id, shares, takenDown);
  sidebar.open(view.id);
  composer.open(view.id ?? "new");
  gauge.set(context ?? { tokens: 0, exact: true, limit: given.model?.context_tokens });
  voice.open(conversation, manner, model);
  temporary.open(conversation);
  for (const name of ["files", "error", "sidebar", "report", "elsewhere"]) notices.clear(name);
  for (const message of messages) {
    if (message.status === "live") replies.track(message.id, message.generation?.id, message.conversation);
  }
  const last = messages.at(-1);
  if (last && last.status !== "live" && !later) sendLined(view.id, last); // it ended while nobody looked
  draw();
  follow.toEnd();
}

function setTitle(conversation) {
  const title = conversation ? conversation.title || gettext("New chat") : gettext("New chat");
  find("[data-title]").textContent = title;
  document.title = conversation?.title ? `${title} · ${siteName}` : siteName;
}

const liveHere = () => view.messages.findLast((each) => each.status === "live" && replies.get(each.id));

function draw() {
  const takeBack = ({ content, files }) => { composer.giveBack(content, files); draw(); };
  const list = asked.shown({ connected, wasConnected, takeBack });
  const wasEmpty = main.classList.contains("empty");
  const isEmpty = !list.length;
  const form = find("[data-composer]");
  const from = form.getBoundingClientRect().top;
  main.classList.toggle("empty", isEmpty);
  find("[data-share]").hidden = !view.messages.length || temporary.on;
  find("[data-earlier]").hidden = !view.more;
  find("[data-later]").hidden = !view.later;
  transcript.show(list, replies);
  const live = liveHere();
  composer.setMode(asked.here.length ? "wait" : !live ? "send" : live.id === view.stopping ? "stopping" : "stop");
  if (wasEmpty && !isEmpty && !reducedMotion()) {
    const way = from - form.getBoundingClientRect().top;
    form.animate([{ transform: `translateY(${way}px)` }, { transform: "none" }], { duration: 260, easing: "cubic-bezier(0.2, 0, 0, 1)" });
  }
}

/** Opens a conversation, at its end or at one of its messages. */
async function go(id, { push = true, message = null } = {}) {
  closeDrawer();
  if (id === view.id && !message && !main.classList.contains("loading")) return;
  const epoch = ++view.epoch;
  sidebar.open(id);
  main.classList.add("loading");
  try {
    const [detail, part] = await Promise.all([
      call("GET", `/api/conversations/${id}/`),
      call("GET", `/api/conversations/${id}/messages/${message ? `?around=${message}` : ""}`),
    ]);
    if (epoch !== view.epoch) return;
    if (push && location.pathname !== detail.conversation.url) history.pushState(null, "", detail.conversation.url);
    open(detail.conversation, part, detail);
    if (message) transcript.point(message);
    else if (!matchMedia("(hover: none)").matches) composer.area.focus();
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
  open(null, { messages: [] }, { shares: [] });
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
    const waited = new Set(view.messages.filter((each) => each.status === "live").map((each) => each.id));
    if (merged.some((each) => waited.has(each.id) && each.status === "complete")) notices.clear("model");
    if (view.later) return; // somewhere in the middle: the end comes when it is asked for
    if (merged === fresh.messages) view.more = fresh.more;
    view.messages = merged;
    for (const message of merged) {
      if (message.status === "live") replies.track(message.id, message.generation?.id, message.conversation);
      else replies.forget(message.id);
    }
    const last = merged.at(-1);
    if (last && last.status !== "live") sendLined(id, last);
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

/** A question at the end of the branch, or in the place of `edited`. */
async function send(text, { edited = null, files = [] } = {}) {
  if (view.later && !edited && !(await toNewest())) { composer.giveBack(text, files); return; }
  const content = text.trim();
  notices.clear("error");
  const parent = edited ? edited.parent : view.messages.at(-1)?.id ?? null;
  const pending = asked.question(content, parent, { files, start: view.id ? undefined : temporary.start(voice.start) });
  if (new TextEncoder().encode(JSON.stringify(pending)).length > FRAME_BYTES) {
    composer.giveBack(text, files);
    notices.show("error", gettext("This message is too long to be sent."), { kind: "bad" });
    return;
  }
  asked.put(pending);
  draw();
  follow.toEnd();
  if (matchMedia("(hover: none)").matches) composer.area.blur(); // the phone's keyboard makes room for the answer
}

/** A message that waits for the answer before it; several become one. */
function line(text, { files }) {
  const live = liveHere();
  if (!live) { send(text, { files }); return; }
  asked.line(text, files);
  draw();
  follow.toEnd();
}

/** The answer that a message waited for has ended: it goes out, or back into the box if there is nothing to follow. */
function sendLined(conversation, answer) {
  const taken = asked.takeLine(conversation);
  if (!taken) return;
  const pending = asked.question(taken.content, answer.id, { conversation, files: taken.files });
  if (answer.status === "complete") asked.put(pending);
  else giveBack(pending, conversation === view.id);
}

function regenerate(message, params) { askBeside("regenerate", message, params); }
function goOn(message) { askBeside("continue", message); }

function askBeside(type, message, params) {
  if (composer.mode !== "send") return;
  notices.clear("error");
  asked.beside(type, message, params);
  draw();
  follow.toEnd();
}

/** Another version of a message takes its place, where the reader looks. `way` is the button that had the focus. */
async function openVersion(message, id, way) {
  const { epoch } = view;
  const top = transcript.topOf(message.id);
  try {
    const { messages, more } = await call("PUT", `/api/conversations/${view.id}/leaf/`, { message: id });
    if (epoch !== view.epoch) return;
    view.messages = messages;
    view.more = more;
    view.later = false;
    for (const each of messages) if (each.status === "live") replies.track(each.id, each.generation?.id, each.conversation);
    follow.held = false;
    draw();
    transcript.putAt(id, top, way);
  } catch (error) {
    notices.show("error", error.message, { kind: "bad" });
  }
}

async function removeBranch(message) {
  await call("DELETE", `/api/messages/${message.id}/`);
  await refresh();
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
  const handlers = { hello, ack: acked, message: told, queued: progress, token: progress, done: finished, error: refused, conversation: changed, manner: mannered, removed, missed, emptied, storage: ({ writable }) => tellStorage(writable), folders: (each) => sidebar.folders.set(each.folders) };
  handlers[frame.type]?.(frame);
}

function hello(frame) {
  if (frame.news !== given.news && given.news !== null) refresh(); // something came between the page and its first connection
  given.news = null;
  tellStorage(frame.writable !== false);
  if (frame.model.running) notices.clear("model");
  else notices.show("model", gettext("The model is not running at the moment. Messages wait until it is back."), { kind: "warn" });
}

/** The server's disk is full or read-only, or no longer. */
function tellStorage(writable) {
  if (writable) notices.clear("storage");
  else notices.show("storage", gettext("The server has no room at the moment: nothing can be sent or saved. You can still read, and what you wrote stays in the box."), { kind: "warn", stay: true });
}

function acked(frame) {
  notices.clear("storage"); // it was stored
  const pending = asked.take(frame.client_id);
  const here = pending ? asked.isHere(pending) : frame.conversation.id === view.id;
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
  voice.open(conversation);
  temporary.open(conversation);
  sidebar.open(view.id);
  composer.rename(view.id);
}

/** A message from another tab, or changed by moderation, or settled. */
function told(frame) {
  const { message } = frame;
  if (message.status === "live") {
    replies.track(message.id, message.generation?.id, message.conversation);
    sidebar.dot(message.conversation, "live");
  } else replies.take(frame);
  if (message.conversation !== view.id) return;
  view.messages = place(view.messages, message);
  view.news++;
  draw();
}

/** A branch was deleted, here or in another tab. */
function removed(frame) {
  if (frame.conversation !== view.id) return;
  view.news++;
  refresh();
}

/** All conversations were deleted, on the settings page. */
function emptied() {
  view.news++;
  if (view.id) gone(view.id);
  sidebar.restart();
}

/** Some news did not reach this tab. */
function missed() {
  view.news++;
  refresh();
}

function progress(frame) {
  replies.take(frame);
}

function finished(frame) {
  if (frame.status === "complete") notices.clear("model"); // it may have come without a token of its own
  if (replies.get(frame.message_id)?.conversation === view.id) gauge.counted(frame.usage);
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
  const { messageId, conversation, text, status, reason, words, saved } = reply;
  const here = conversation === view.id;
  sidebar.dot(conversation, here && !document.hidden ? null : "new");
  if (here) {
    announcer.follow(messageId, text, true);
    announcer.say(status === "complete" ? gettext("The answer is complete.") : words || gettext("The answer has ended early."));
    const begun = saved ? "" : view.messages.find((each) => each.id === messageId)?.text ?? "";
    patch(messageId, { text: begun + text, status, reason, words });
  }
  if (reply.broken) refresh();
  sendLined(conversation, { id: messageId, status });
  if (here) draw();
  else tellElsewhere(conversation, status);
}

/** A quiet word on an answer in another conversation. */
function tellElsewhere(conversation, status) {
  if (asked.in(conversation)) return; // it goes on
  const title = sidebar.get(conversation)?.title || gettext("New chat");
  const words = status === "complete" ? gettext("“%(title)s” has an answer.") : gettext("The answer in “%(title)s” has ended early.");
  notices.show("elsewhere", fill(words, { title }), { action: { words: gettext("Open"), run: () => go(conversation) } });
}

function refused(frame) {
  const resumed = /^resume:(.+)$/.exec(frame.ref ?? "")?.[1];
  if (resumed) { resumeFailed(resumed, frame); return; }
  const words = frame.words || gettext("The server did not understand this message.");
  const pending = asked.take(frame.client_id ?? frame.ref);
  if (pending) {
    const here = asked.isHere(pending);
    draw();
    if (pending.type === "send") giveBack(pending, here);
    if (frame.code === "not_found" && here && view.id) refresh();
  }
  if (frame.code === "model_retired") voice.retire(frame.model, frame.successor);
  if (frame.code === "storage_full") tellStorage(false);
  notices.show("error", words, { kind: "bad" });
}

/** Nothing is lost: the text goes back into the box it came from. */
function giveBack(pending, here) {
  if (here) { composer.giveBack(pending.content, pending.files); return; }
  const key = pending.conversation ?? "new";
  const kept = [pending.content, drafts.get(key)].filter(Boolean).join("\n\n");
  drafts.set(key, kept);
  tray.giveBack(pending.files, key);
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
  if (conversation.id !== view.id) return;
  setTitle(conversation);
  voice.open(conversation);
  temporary.open(conversation);
  draw();
}

/** The server refuses sockets of pages at other addresses, and a page cannot see why: so it looks first. */
function connectIfKnown() {
  const { addresses } = main.dataset;
  if (isKnown(location.origin, addresses)) {
    link.connect();
    return;
  }
  link.end();
  notices.show("address", fill(
    gettext("Answers cannot reach this page: its address is not in GROKWEB_URLS. Open %(address)s instead, or ask whoever runs this site to add this address."),
    { address: addresses.split(" ")[0] },
  ), { kind: "bad", stay: true });
}

/** Another persona or other settings, chosen in another tab. */
function mannered({ conversation, manner }) {
  if (conversation === view.id) voice.open(voice.conversation, manner);
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
  if (before !== connected && asked.here.length) draw();
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

const toNewest = wirePaging(view, { draw, follow, failed: (words) => notices.show("error", words, { kind: "bad" }) });
addEventListener("grokweb:goto", (event) => {
  event.preventDefault(); // heard
  go(event.detail.conversation, { message: event.detail.message });
});
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !event.isComposing && !event.defaultPrevented && composer.mode === "stop" && !somethingOpen()) stop();
  if (event.key.toLowerCase() === "o" && event.shiftKey && (event.ctrlKey || event.metaKey)) { event.preventDefault(); startNew(); }
});
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
  usage: given.usage,
  kept: (error) => { if (error) notices.show("appearance", error.message, { kind: "bad" }); else notices.clear("appearance"); },
  leaving: () => { drafts.clear(); asked.clear(); tray.clear(); }, // the next person at this computer finds no drafts
});

open(given.conversation, given, given);
const wanted = new URLSearchParams(location.search).get("m");
if (wanted && given.conversation) {
  history.replaceState(null, "", location.pathname);
  go(given.conversation.id, { message: wanted });
}
asked.restore();
draw();
if (!given.model) notices.show("model", gettext("No model is set up on this server yet."), { kind: "warn", stay: true });
connectIfKnown();
keepOfflinePage();
performance.mark("grokweb.usable"); // every key and button does what it says; `make bench ONLY=page` reads this
