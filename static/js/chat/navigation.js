/**
 * Opens conversations, new chats and other branches, and fetches the open one again after frames were missed.
 *
 * @import { ChatPage } from "grokweb/chat/context.js"
 * @import { Conversation, ConversationDetail } from "grokweb/wire/objects.js"
 * @import { MessagePage, ShownMessage } from "grokweb/wire/objects.js"
 */

import { gettext } from "grokweb/base/i18n.js";
import { sendQueued } from "grokweb/chat/asking.js";
import { fetchContext } from "grokweb/chat/context_use.js";
import { showTitle } from "grokweb/chat/drawing.js";
import { allMessages, left, opened, replaced } from "grokweb/state/chat_state.js";
import { merge } from "grokweb/state/reducer.js";
import { wordsOf } from "grokweb/ui/dom.js";
import { ApiError, call } from "grokweb/wire/api.js";

const IN_ADDRESS = /^\/c\/([0-9a-f-]{36})\/$/;
const CONVERSATION_NOTICES = ["files", "error", "sidebar", "report", "elsewhere"]; // cleared by open()

const hasKeyboard = () => !matchMedia("(hover: none)").matches;

/** @param {ChatPage} chat @param {MessagePage} page */
function trackLive({ replies }, { messages, beside }) {
  for (const { id, status, generation, conversation, column } of beside ? [...messages, beside] : messages) {
    if (status === "live") replies.track(id, generation?.id, conversation, { column });
  }
}

/**
 * Returns the end of a page of messages once no answer there is being written.
 * @param {MessagePage} page
 */
function endedEnd({ messages, beside }) {
  const last = messages.at(-1);
  return last && last.status !== "live" && beside?.status !== "live" ? last : null;
}

/**
 * Shows a conversation, or a new one (null).
 * @param {ChatPage} chat @param {Conversation | null} conversation @param {MessagePage} page
 * @param {Partial<Omit<ConversationDetail, "conversation">>} detail
 */
export function open(chat, conversation, page, detail) {
  const { store, notices, data } = chat;
  const id = conversation?.id ?? null;
  store.batch(() => {
    store.update(opened, id, page);
    chat.main.classList.remove("loading");
    showTitle(conversation);
    chat.shareDialog.set(id, detail.shares ?? [], detail.taken_down ?? null);
    chat.sidebar.open(id);
    chat.composer.open(id ?? "new");
    chat.gauge.set(detail.context ?? { tokens: 0, exact: true, limit: data.model?.context_tokens });
    chat.settingsBar.open(conversation, detail.conversation_settings, detail.model);
    chat.temporary.open(conversation);
    for (const key of CONVERSATION_NOTICES) notices.clear(key);
    trackLive(chat, page);
    const last = endedEnd(page);
    // the reply ended meanwhile
    if (id && last && !page.later) sendQueued(chat, id, last);
  });
  chat.follow.toEnd();
}

/**
 * Opens a conversation, at its end or at one of its messages.
 * @param {ChatPage} chat @param {string} id @param {{ push?: boolean, message?: string | null }} [options]
 */
export async function go(chat, id, { push = true, message = null } = {}) {
  const { store, main, sidebar } = chat;
  chat.closeDrawer();
  if (id === store.state.id && !message && !main.classList.contains("loading")) return;
  store.update(left);
  const { epoch } = store.state;
  sidebar.open(id);
  main.classList.add("loading");
  try {
    const [detail, page] = await Promise.all([
      call("GET", `/api/conversations/${id}/`),
      call("GET", `/api/conversations/${id}/messages/${message ? `?around=${message}` : ""}`),
    ]);
    if (epoch !== store.state.epoch) return;
    const { url } = detail.conversation;
    if (push && location.pathname !== url) history.pushState(null, "", url);
    open(chat, detail.conversation, page, detail);
    if (message) chat.transcript.point(message);
    else if (hasKeyboard()) chat.composer.area.focus();
  } catch (error) {
    if (epoch !== store.state.epoch) return;
    main.classList.remove("loading");
    sidebar.open(store.state.id);
    if (error instanceof ApiError && error.status === 404) sidebar.remove(id);
    chat.notices.show("error", wordsOf(error), { kind: "bad" });
  }
}

/** @param {ChatPage} chat */
export function startNew(chat, { push = true } = {}) {
  chat.closeDrawer();
  if (push && location.pathname !== "/") history.pushState(null, "", "/");
  open(chat, null, { messages: [] }, { shares: [] });
  chat.composer.area.focus();
}

/**
 * Follows the browser's Back and Forward.
 * @param {ChatPage} chat
 */
export function wireHistory(chat) {
  addEventListener("popstate", () => {
    const id = IN_ADDRESS.exec(location.pathname)?.[1];
    if (id) go(chat, id, { push: false });
    else startNew(chat, { push: false });
  });
}

/**
 * Fetches the sidebar and the open conversation again: frames about them are not repeated after a lost
 * connection.
 * @param {ChatPage} chat
 */
export async function refresh(chat) {
  const { store } = chat;
  const { id, epoch, revision } = store.state;
  try {
    const [list, fresh] = await Promise.all([
      call("GET", "/api/conversations/"),
      id ? call("GET", `/api/conversations/${id}/messages/`) : null,
    ]);
    chat.sidebar.refresh(list);
    if (!fresh || epoch !== store.state.epoch) return;
    if (revision !== store.state.revision) refresh(chat); // the answer may be older than what a frame brought
    else if (id) showFresh(chat, id, fresh);
  } catch (error) {
    const isGone = error instanceof ApiError && error.status === 404;
    if (isGone && id && epoch === store.state.epoch) gone(chat, id);
  }
}

/** @param {ChatPage} chat @param {string} id @param {MessagePage} fresh */
function showFresh(chat, id, fresh) {
  const { store, replies } = chat;
  const { messages, later } = store.state;
  const { beside = null } = fresh;
  const merged = merge(messages, fresh.messages);
  const waited = new Set(messages.filter((each) => each.status === "live").map((each) => each.id));
  if (merged.some((each) => waited.has(each.id) && each.status === "complete")) chat.modelStates.answered();
  if (later) return; // the reader is somewhere in the middle: the end comes when it is asked for
  store.batch(() => {
    const isWhole = merged === fresh.messages;
    store.update(replaced, { messages: merged, beside, ...(isWhole && { more: Boolean(fresh.more) }) });
    for (const { id: pk, status } of allMessages(store.state)) if (status !== "live") replies.forget(pk);
    trackLive(chat, { messages: merged, beside });
    const last = endedEnd({ messages: merged, beside });
    if (last) sendQueued(chat, id, last);
  });
}

/**
 * The conversation was deleted.
 * @param {ChatPage} chat @param {string} id
 */
export function gone(chat, id) {
  chat.sidebar.remove(id);
  if (id !== chat.store.state.id) return;
  startNew(chat);
  chat.notices.show("error", gettext("This conversation was deleted."));
}

/** The requests for versions: one after the other, so that the server keeps the last. */
let versionRequests = Promise.resolve(false); // whether the version is shown
let lastVersion = ""; // only this one is still wanted

/**
 * Shows another version of a message in its place, without moving what the reader looks at. Of versions asked
 * for in quick succession only the last is shown.
 * @param {ChatPage} chat @param {ShownMessage} message @param {string} id  of the version
 * @param {string} button  "left" or "right": it gets the focus back
 */
export function openVersion(chat, message, id, button) {
  const { epoch } = chat.store.state;
  lastVersion = id;
  versionRequests = versionRequests.then(() => showVersion(chat, message, id, button, epoch));
  return versionRequests;
}

/**
 * @param {ChatPage} chat @param {ShownMessage} message @param {string} id @param {string} button
 * @param {number} epoch  of the conversation that was open at the click
 */
async function showVersion(chat, message, id, button, epoch) {
  const { store, transcript } = chat;
  const isWanted = () => id === lastVersion && epoch === store.state.epoch;
  if (!isWanted()) return false;
  const top = transcript.topOf(message.id);
  try {
    const path = `/api/conversations/${store.state.id}/leaf/`;
    const { messages, more, beside = null } = await call("PUT", path, { message: id });
    if (!isWanted()) return false;
    store.batch(() => {
      store.update(replaced, { messages, beside, more, later: false });
      trackLive(chat, { messages, beside });
      chat.follow.following = false;
    });
    transcript.putAt(id, top, button);
    fetchContext(chat);
    return true;
  } catch (error) {
    chat.notices.show("error", wordsOf(error), { kind: "bad" });
    return false;
  }
}

/**
 * Lets the next question follow one of two answers that stand side by side.
 * @param {ChatPage} chat @param {ShownMessage} message
 */
export async function chooseAnswer(chat, message) {
  if (!(await openVersion(chat, message, message.id, ""))) return;
  chat.announcer.say(gettext("Your next message follows this answer."));
  if (hasKeyboard()) chat.composer.area.focus();
}

/**
 * Deletes a message with all below it.
 * @param {ChatPage} chat @param {ShownMessage} message
 */
export async function removeBranch(chat, message) {
  await call("DELETE", `/api/messages/${message.id}/`);
  await refresh(chat);
}
