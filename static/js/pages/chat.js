/**
 * The chat page: makes its parts and connects them. The handlers are in chat/; frames are docs/protocol.md.
 *
 * @import { ChatPage } from "grokweb/chat/context.js"
 * @import { PageData } from "grokweb/wire/objects.js"
 */

import { PersonalStorage } from "grokweb/base/storage.js";
import { gettext } from "grokweb/base/i18n.js";
import {
  continueReply, queueMessage, regenerate, restorePending, send, stop, stopReply,
} from "grokweb/chat/asking.js";
import { connectIfKnown, onConnection, wireConnection } from "grokweb/chat/connection.js";
import { changePin, changeSummary, fetchContext } from "grokweb/chat/context_use.js";
import { draw, showTitle } from "grokweb/chat/drawing.js";
import { saveEdited } from "grokweb/chat/editing.js";
import { handleFrame, onReplyEnded } from "grokweb/chat/frames.js";
import { ModelStates } from "grokweb/chat/model_state.js";
import {
  chooseAnswer, go, open, openVersion, removeBranch, startNew, wireHistory,
} from "grokweb/chat/navigation.js";
import { wirePaging } from "grokweb/chat/paging.js";
import { wireAccountMenu } from "grokweb/parts/account_menu.js";
import { AlsoAsk } from "grokweb/parts/also_ask.js";
import { Attachments } from "grokweb/parts/attachments.js";
import { Composer } from "grokweb/parts/composer.js";
import { ContextGauge } from "grokweb/parts/context_gauge.js";
import { wireDemoBanner } from "grokweb/parts/demo_banner.js";
import { wireDictation } from "grokweb/parts/dictation.js";
import { wireDrawer } from "grokweb/parts/drawer.js";
import { wireFeedback } from "grokweb/parts/feedback.js";
import { showLeftOut, whyBlind } from "grokweb/parts/images.js";
import { keepOfflinePage } from "grokweb/parts/offline_page.js";
import { wireRemoveDialog } from "grokweb/parts/remove_dialog.js";
import { wireReportDialog } from "grokweb/parts/report_dialog.js";
import { wireSavedPrompts } from "grokweb/parts/saved_prompts.js";
import { SettingsBar } from "grokweb/parts/settings_bar.js";
import { ShareDialog } from "grokweb/parts/share_dialog.js";
import { wireShortcuts } from "grokweb/parts/shortcuts.js";
import { Sidebar } from "grokweb/parts/sidebar/sidebar.js";
import { TemporaryChat } from "grokweb/parts/temporary_chat.js";
import { INITIAL, patched } from "grokweb/state/chat_state.js";
import { PendingStorage, QueuedMessages } from "grokweb/state/unsent_messages.js";
import { Replies } from "grokweb/state/replies.js";
import { createStore } from "grokweb/state/store.js";
import { Announcer } from "grokweb/ui/announcer.js";
import { find, findOptional } from "grokweb/ui/dom.js";
import { FollowScroll } from "grokweb/ui/follow_scroll.js";
import { hideComposition } from "grokweb/ui/keys.js";
import { isSomethingOpen } from "grokweb/ui/menu.js";
import { Notices } from "grokweb/ui/notices.js";
import { enableSpeech } from "grokweb/view/speech.js";
import { Transcript } from "grokweb/view/transcript.js";
import { loginUrl } from "grokweb/wire/api.js";
import { PageSocket } from "grokweb/wire/socket.js";

const CHARACTERS_PER_TOKEN = 4; // as in chat/core/sizes.py

hideComposition(); // before any other listener
/** @type {PageData} */
const data = JSON.parse(find("#page").textContent);
const user = data.user.id;
const app = find("[data-app]");
const form = find("form[data-composer]");

const chat = /** @type {ChatPage} */ ({
  data,
  store: createStore(INITIAL),
  pendingStorage: new PendingStorage(user),
  queued: new QueuedMessages(user),
  drafts: new PersonalStorage(user, "draft"),
  main: find("[data-main]"),
  announcer: new Announcer(find("[data-announce]")),
  follow: new FollowScroll(find("[data-scroll]"), find("[data-jump]")),
  notices: new Notices(find("[data-notices]")),
  closeDrawer: wireDrawer(app),
});
const { store, notices } = chat;
const showBad = (/** @type {string} */ words) => notices.show("error", words, { kind: "bad" });

// --- State and connection ----------------------------------------------------------------------------------

chat.replies = new Replies({
  resume: (id, after) => chat.socket.resume(id, after),
  changed: (reply, frame) => {
    chat.transcript.grow(reply);
    if (frame.type !== "token") return;
    if (reply.conversation !== store.state.id || reply.messageId === store.state.beside?.id) return;
    chat.modelStates.answered();
    chat.announcer.follow(reply.messageId, reply.text);
  },
  ended: (reply) => onReplyEnded(chat, reply),
});
chat.socket = new PageSocket({
  url: `${location.protocol.replace("http", "ws")}//${location.host}/ws/`,
  onframe: (frame) => handleFrame(chat, frame),
  onstate: (status) => onConnection(chat, status),
  onrefused: (action) => (action === "login" ? location.assign(loginUrl()) : location.reload()),
  live: () => chat.replies.live(),
});

// --- Messages ----------------------------------------------------------------------------------------------

if (data.speech) enableSpeech(user);
const openReport = wireReportDialog(find("dialog#report-dialog"), () =>
  notices.show("report", gettext("Thank you. Staff will look at it.")));
chat.transcript = new Transcript(find("[data-transcript]"), {
  actions: {
    models: data.models,
    regenerate: (message, params) => regenerate(chat, message, params),
    regenerateAs: (message, button) =>
      chat.settingsBar.offerPersonas(button, undefined, (persona) => regenerate(chat, message, { persona })),
    continueReply: (message) => continueReply(chat, message),
    sendEdited: (message, text) => send(chat, text, { edited: message, files: message.files }),
    saveEdited: (message, text) => saveEdited(chat, message, text),
    chooseAnswer: (message) => { chooseAnswer(chat, message); },
    stopReply: (message) => stopReply(chat, message),
    mayAsk: () => chat.composer.mode === "send",
    openVersion: (message, id, button) => openVersion(chat, message, id, button),
    remove: wireRemoveDialog(find("dialog#remove-dialog"), (message) => removeBranch(chat, message)),
    pin: (...change) => changePin(chat, ...change),
    changeSummary: (...change) => changeSummary(chat, ...change),
    report: (message) => openReport(message.id),
    decide: (call, allow) => { chat.socket.decide(call, allow); },
    giveFeedback: wireFeedback(find("dialog#feedback-dialog"), {
      show: (id, feedback) => store.update(patched, id, { feedback }),
      announce: (words, action) => notices.show("report", words, { action }),
      failed: showBad,
    }),
  },
  follow: chat.follow,
});

// --- The message box ---------------------------------------------------------------------------------------

chat.gauge = new ContextGauge(form, {
  maxChars: data.model ? CHARACTERS_PER_TOKEN * data.model.context_tokens : Infinity,
  leftOut: (turns) => chat.transcript.markLeftOut(turns),
});
chat.attachments = new Attachments(form, {
  limits: data.files,
  storage: new PersonalStorage(user, "files"),
  notices,
  tooLong: (text) => chat.gauge.tooLong(text),
  whyBlind: () => whyBlind(chat.settingsBar.model, chat.settingsBar.models),
  changed: (files) => chat.gauge.setFiles(files),
});
chat.composer = new Composer(form, {
  maxChars: data.max_chars || Infinity,
  drafts: chat.drafts,
  attachments: chat.attachments,
  send: (text, options) => send(chat, text, options),
  stop: () => stop(chat),
  queue: (text, options) => queueMessage(chat, text, options),
});
wireDictation(findOptional("[data-dictate]"), (words) => chat.composer.add(words), (words) =>
  notices.show("error", words, { kind: "warn" }));
wireSavedPrompts(find("[data-prompts]"), chat.composer, { any: data.personas.prompts, notices });

const showDemo = wireDemoBanner(findOptional("[data-demo]"), user);
chat.modelStates = new ModelStates(notices, async () => {
  const models = await chat.settingsBar.fetchModels();
  chat.alsoAsk.draw();
  return models;
});
chat.settingsBar = new SettingsBar(find("[data-settings-bar]"), find("[data-heading]"), {
  models: data.models,
  offers: data.personas,
  notices,
  changed: ({ model, tokens }) => {
    const { composer, gauge } = chat;
    composer.maxChars = model.message_chars;
    gauge.maxChars = CHARACTERS_PER_TOKEN * model.context_tokens;
    const context = store.state.id ? gauge.context : null;
    const another = context && context.limit !== model.context_tokens;
    gauge.set({ ...(context ?? { tokens, exact: !tokens }), limit: model.context_tokens });
    if (another) fetchContext(chat); // what does not fit changes with the model
    composer.fit();
    showDemo(model.is_demo);
    chat.modelStates.show(model.slug);
    showLeftOut(notices, model, store.state.messages);
  },
});

chat.alsoAsk = new AlsoAsk(/** @type {HTMLButtonElement} */ (find("[data-also]")), chat.settingsBar);

// --- Sidebar, dialogs, menus -------------------------------------------------------------------------------

chat.sidebar = new Sidebar(find("[data-conversations]"), {
  conversations: data.conversations,
  next: data.next,
  folders: data.folders,
  notices,
  go: (id) => go(chat, id),
  renamed: (conversation) => { if (conversation.id === store.state.id) showTitle(conversation); },
  deleted: (id) => { if (id === store.state.id) startNew(chat); },
});
chat.shareDialog = new ShareDialog(find("dialog#share-dialog"));
chat.temporary = new TemporaryChat(chat.main, {
  kept: (conversation) => {
    chat.sidebar.put(conversation);
    draw(chat);
    notices.show("report", gettext("This chat is kept. You find it in your list."));
    if (!matchMedia("(hover: none)").matches) chat.composer.area.focus();
  },
  failed: (error) => showBad(error.message),
  remove: (id) => chat.sidebar.actions.delete([id]),
});
wireShortcuts(() => startNew(chat), () => chat.sidebar.newest);
wireAccountMenu(app, {
  usage: data.usage,
  saved: (error) => {
    if (error) notices.show("appearance", error.message, { kind: "bad" });
    else notices.clear("appearance");
  },
  loggingOut: () => { // the next person in this tab must not see texts of this one
    for (const each of [chat.drafts, chat.attachments, chat.pendingStorage, chat.queued]) each.clear();
  },
});

for (const each of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-new]"))) {
  each.addEventListener("click", (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    startNew(chat);
  });
}
for (const button of document.querySelectorAll("[data-suggestions] button")) {
  button.addEventListener("click", () => {
    if (chat.composer.mode === "send") send(chat, button.textContent);
  });
}
find("[data-share]").addEventListener("click", () => chat.shareDialog.open());
addEventListener("grokweb:goto", (event) => {
  event.preventDefault(); // tells the palette that somebody listens
  const { conversation, message } = /** @type {CustomEvent} */ (event).detail;
  go(chat, conversation, { message });
});
addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.defaultPrevented || chat.composer.mode !== "stop") return;
  if (!isSomethingOpen()) stop(chat);
});
wirePaging(chat);
wireHistory(chat);
wireConnection(chat, data.push);

// --- The first view ----------------------------------------------------------------------------------------

const unsent = chat.pendingStorage.load(); // of the page before a reload
store.subscribe((state, before) => {
  if (state.pending !== before.pending) chat.pendingStorage.save(state.pending);
});
store.subscribe(() => draw(chat));
store.subscribe((state) => showLeftOut(notices, chat.settingsBar.model, state.messages));
open(chat, data.conversation, data, data);
const wanted = new URLSearchParams(location.search).get("m");
if (wanted && data.conversation) {
  history.replaceState(null, "", location.pathname);
  go(chat, data.conversation.id, { message: wanted });
}
restorePending(chat, unsent);
if (!data.model) chat.modelStates.sayNone();
connectIfKnown(chat);
keepOfflinePage();
performance.mark("grokweb.usable"); // every key and button works; `make bench ONLY=page` reads this
