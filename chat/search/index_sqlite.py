"""FTS5: folds accents and case by itself. The words of one kind and one person share a token (`scope`)."""

TABLES = [
    "CREATE VIRTUAL TABLE search_words USING fts5("
    "scope, words, tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3')"
]
DROP_TABLES = ["DROP TABLE search_words"]
# FTS5 keeps deleted words as marks until its pieces are merged. The first statement lines all pieces up, the
# second merges so many pages of them; again and again, until there is nothing left to do.
COMPACT = (
    "INSERT INTO search_words (search_words, rank) VALUES ('merge', -200)",
    "INSERT INTO search_words (search_words, rank) VALUES ('merge', 200)",
)
CHANGES = "SELECT total_changes()"
MOST = 100_000  # characters of one message, as on PostgreSQL

# The number of a row: its time, and after those of the same millisecond. Writers of SQLite come one by one.
# Times outside the years 1970 to 2223 count as the nearest of them.
_ID = """
(SELECT max(ms << 20, coalesce((
    SELECT max(id) + 1 FROM search_entry WHERE id >= ms << 20 AND id < (ms + 1) << 20
 ), 0))
 FROM (SELECT max(0, min(8000000000000, coalesce(
    CAST(strftime('%s', {time}) AS INTEGER) * 1000 + CAST(substr(strftime('%f', {time}), 4) AS INTEGER), 0
 ))) AS ms))
"""
_MESSAGE = """
INSERT INTO search_entry (id, owner_id, conversation_id, message_id)
    SELECT {id}, owner_id, {row}.conversation_id, {row}.id FROM conversations_conversation
    WHERE id = {row}.conversation_id AND {row}.hidden_at IS NULL AND {row}.status <> 'live'
    AND {row}.text <> '';
INSERT INTO search_words (rowid, scope, words)
    SELECT id, 'm' || owner_id, substr({row}.text, 1, {most}) FROM search_entry WHERE message_id = {row}.id;
""".replace("{most}", str(MOST))
_TITLE = """
INSERT INTO search_entry (id, owner_id, conversation_id)
    SELECT {id}, {row}.owner_id, {row}.id WHERE {row}.title <> '';
INSERT INTO search_words (rowid, scope, words)
    SELECT id, 't' || owner_id, {row}.title FROM search_entry
    WHERE conversation_id = {row}.id AND message_id IS NULL;
"""
_NEW_MESSAGE = _MESSAGE.format(id=_ID.format(time="NEW.created_at"), row="NEW")
_NEW_TITLE = _TITLE.format(id=_ID.format(time="NEW.created_at"), row="NEW")
_NO_MESSAGE = "DELETE FROM search_entry WHERE message_id = OLD.id;"
_NO_TITLE = "DELETE FROM search_entry WHERE conversation_id = OLD.id AND message_id IS NULL;"

_TRIGGERS = {
    "search_entry_gone": ("DELETE ON search_entry", "DELETE FROM search_words WHERE rowid = OLD.id;"),
    "search_message_new": ("INSERT ON conversations_message", _NEW_MESSAGE),
    "search_message_changed": (
        "UPDATE OF text, status, hidden_at ON conversations_message",
        _NO_MESSAGE + _NEW_MESSAGE,
    ),
    "search_message_gone": ("DELETE ON conversations_message", _NO_MESSAGE),
    "search_title_new": ("INSERT ON conversations_conversation", _NEW_TITLE),
    "search_title_changed": ("UPDATE OF title ON conversations_conversation", _NO_TITLE + _NEW_TITLE),
    "search_title_gone": ("DELETE ON conversations_conversation", _NO_TITLE),
}
CREATE = [
    f"CREATE TRIGGER {name} AFTER {event} BEGIN {body} END" for name, (event, body) in _TRIGGERS.items()
]
DROP = [f"DROP TRIGGER IF EXISTS {name}" for name in _TRIGGERS]
