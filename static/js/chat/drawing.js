/**
 * Draws the chat page from its state. It is the store's subscriber: nothing else shows messages.
 *
 * @import { ChatPage } from "grokweb/chat/context.js"
 * @import { Conversation } from "grokweb/wire/objects.js"
 */

import { gettext } from "grokweb/base/i18n.js";
import { allMessages, pendingHere, shownMessages } from "grokweb/state/chat_state.js";
import { find } from "grokweb/ui/dom.js";
import { reducedMotion } from "grokweb/ui/follow_scroll.js";

const SLIDE = { duration: 260, easing: "cubic-bezier(0.2, 0, 0, 1)" };

/**
 * Returns the messages of the open conversation whose replies are being written.
 * @param {ChatPage} chat
 */
export const liveMessages = ({ store, replies }) =>
  allMessages(store.state).filter((each) => each.status === "live" && replies.get(each.id));

/**
 * Returns the message that waits for the end of the reply in the open conversation.
 * @param {ChatPage} chat
 */
function queuedHere(chat) {
  const { id } = chat.store.state;
  const message = id === null ? null : chat.queued.get(id);
  if (id === null || !message) return null;
  const takeBack = () => {
    const taken = chat.queued.take(id);
    if (taken) chat.composer.giveBack(taken.content, taken.files);
    draw(chat);
  };
  return { ...message, takeBack };
}

/** @param {ChatPage} chat @returns {import("grokweb/parts/composer.js").Mode} */
function composerMode(chat) {
  const { state } = chat.store;
  if (pendingHere(state).length) return "wait";
  const live = liveMessages(chat);
  if (!live.length) return "send";
  return live.every((each) => state.stopping.includes(each.id)) ? "stopping" : "stop";
}

/** @param {ChatPage} chat */
export function draw(chat) {
  const { state } = chat.store;
  const { main, transcript, composer } = chat;
  const list = shownMessages(state, queuedHere(chat));
  const wasEmpty = main.classList.contains("empty");
  const isEmpty = !list.length;
  const form = find("[data-composer]");
  const from = form.getBoundingClientRect().top;
  main.classList.toggle("empty", isEmpty);
  find("[data-share]").hidden = !state.messages.length || chat.temporary.on;
  find("[data-earlier]").hidden = !state.more;
  find("[data-later]").hidden = !state.later;
  transcript.show(list, chat.replies);
  composer.setMode(composerMode(chat));
  if (wasEmpty && !isEmpty && !reducedMotion()) {
    const way = from - form.getBoundingClientRect().top;
    form.animate([{ transform: `translateY(${way}px)` }, { transform: "none" }], SLIDE);
  }
}

const siteName = find(".brand").textContent.trim();

/** @param {Conversation | null} conversation */
export function showTitle(conversation) {
  const title = conversation?.title || gettext("New chat");
  find("[data-title]").textContent = title;
  document.title = conversation?.title ? `${title} · ${siteName}` : siteName;
}
