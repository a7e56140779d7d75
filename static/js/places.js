/** Where a conversation stands in the sidebar: in one place only, as on the server (chat/conversations/sidebar.py). */

export const ARCHIVE = "archive";
export const PINNED = "pinned";
export const RECENT = "recent";

/** `folders` holds the ids of those that exist: one that is gone leaves its conversations among the recent ones. */
export function placeOf(conversation, folders) {
  if (conversation.archived) return ARCHIVE;
  if (conversation.pinned) return PINNED;
  return folders.has(conversation.folder) ? conversation.folder : RECENT;
}

export const newestFirst = (a, b) => (a.updated_at < b.updated_at ? 1 : a.updated_at > b.updated_at ? -1 : 0);

/** All conversations by place, the newest first in each. */
export function byPlace(conversations, folders) {
  const places = new Map();
  for (const conversation of [...conversations].sort(newestFirst)) {
    const place = placeOf(conversation, folders);
    if (!places.has(place)) places.set(place, []);
    places.get(place).push(conversation);
  }
  return places;
}

/** The address of one page of a place. */
export function pageUrl(place, cursor) {
  const query = new URLSearchParams();
  if (place === ARCHIVE) query.set("archived", "1");
  else if (place !== RECENT) query.set("folder", place);
  if (cursor) query.set("cursor", cursor);
  return `/api/conversations/${query.size ? `?${query}` : ""}`;
}

/** What is known after the server's first page came: nothing older than it is forgotten, nothing newer is kept. */
export function refreshed(known, fresh, next, folders) {
  const recent = fresh.filter((each) => placeOf(each, folders) === RECENT);
  const oldest = recent.at(-1)?.updated_at;
  const kept = known.filter((each) => placeOf(each, folders) === RECENT && next && each.updated_at < oldest);
  return { all: [...kept, ...fresh], complete: !kept.length };
}
