/**
 * Which section of the sidebar lists a conversation: exactly one, as on the server
 * (chat/conversations/sidebar.py). A section is the archive, the pinned ones, the recent ones, or the id of a
 * folder.
 *
 * @import { Conversation } from "grokweb/wire/objects.js"
 */

export const ARCHIVE = "archive";
export const PINNED = "pinned";
export const RECENT = "recent";

/**
 * Returns the section of a conversation. One in a folder that no longer exists is among the recent ones.
 * @param {Conversation} conversation @param {Set<string>} folders  ids of those that exist
 */
export function sectionOf(conversation, folders) {
  if (conversation.archived) return ARCHIVE;
  if (conversation.pinned) return PINNED;
  return conversation.folder !== null && folders.has(conversation.folder) ? conversation.folder : RECENT;
}

/** @param {Conversation} a @param {Conversation} b */
export const newestFirst = (a, b) => (a.updated_at < b.updated_at ? 1 : a.updated_at > b.updated_at ? -1 : 0);

/**
 * Returns all conversations by section, the newest first in each.
 * @param {Iterable<Conversation>} conversations @param {Set<string>} folders
 */
export function bySection(conversations, folders) {
  /** @type {Map<string, Conversation[]>} */
  const sections = new Map();
  for (const conversation of [...conversations].sort(newestFirst)) {
    const section = sectionOf(conversation, folders);
    const list = sections.get(section);
    if (list) list.push(conversation);
    else sections.set(section, [conversation]);
  }
  return sections;
}

/**
 * Returns the address of one page of a section.
 * @param {string} section @param {string | null} [cursor]
 */
export function pageUrl(section, cursor) {
  const query = new URLSearchParams();
  if (section === ARCHIVE) query.set("archived", "1");
  else if (section !== RECENT) query.set("folder", section);
  if (cursor) query.set("cursor", cursor);
  return `/api/conversations/${query.size ? `?${query}` : ""}`;
}

/**
 * Returns the known conversations after the server's first page has come: older ones than its last stay, all
 * others are as it says. `complete` tells whether there is nothing but this page.
 * @param {Conversation[]} known
 * @param {Conversation[]} fresh
 * @param {string | null} next  cursor of the page after it
 * @param {Set<string>} folders
 */
export function refreshed(known, fresh, next, folders) {
  const recent = fresh.filter((each) => sectionOf(each, folders) === RECENT);
  const oldest = recent.at(-1)?.updated_at;
  const isOlder = (/** @type {Conversation} */ each) =>
    next !== null && oldest !== undefined && each.updated_at < oldest;
  const stay = known.filter((each) => sectionOf(each, folders) === RECENT && isOlder(each));
  return { all: [...stay, ...fresh], complete: !stay.length };
}
