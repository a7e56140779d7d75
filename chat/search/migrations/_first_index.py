"""The index as migration 0001 made it: whole words, parted by the databases' own parsers."""

SQLITE = [
    "CREATE VIRTUAL TABLE search_words USING fts5("
    "scope, words, tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3')"
]
SQLITE_DROP = ["DROP TABLE search_words"]
# Migration 0002 replaces these two, and puts them back when it is taken back.
POSTGRESQL_WORDS = [
    # Punctuation parts words, as FTS5 has it: the parser would keep addresses and numbers with a point whole.
    # Marks of the Latin, Greek and Cyrillic letters (U+0300-036F) go; words.py does the same to a question.
    """
CREATE OR REPLACE FUNCTION search_folded(said text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT translate(
        lower(regexp_replace(normalize(left(said, 100000), NFD), '[\\u0300-\\u036f]+', '', 'g')),
        $p$!"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~«»“”„‘’–—…·¿¡$p$, repeat(' ', 46))
$$""",
    # The words of one kind and one person share a word that no text can have: it keeps its "@".
    """
CREATE OR REPLACE FUNCTION search_vector(scope text, said text) RETURNS tsvector LANGUAGE sql IMMUTABLE AS $$
    SELECT array_to_tsvector(ARRAY[scope]) || strip(to_tsvector('simple', search_folded(said)))
$$""",
]
POSTGRESQL = [
    "ALTER TABLE search_entry ADD COLUMN words tsvector NOT NULL",
    "CREATE INDEX search_words ON search_entry USING gin (words)",
    "CREATE SEQUENCE search_entry_number",
    *POSTGRESQL_WORDS,
    # Newer means higher; numbers of one millisecond repeat after a million. Years 1970 to 2223.
    """
CREATE FUNCTION search_number(moment timestamptz) RETURNS bigint LANGUAGE sql AS $$
    SELECT (greatest(0, least(8000000000000, floor(extract(epoch FROM moment) * 1000)))::bigint << 20)
        + (nextval('search_entry_number') & 1048575)
$$""",
    """
CREATE FUNCTION search_message() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM search_entry WHERE message_id = OLD.id;
    END IF;
    IF TG_OP = 'DELETE' OR NEW.hidden_at IS NOT NULL OR NEW.status = 'live' OR NEW.text = '' THEN
        RETURN NULL;
    END IF;
    INSERT INTO search_entry (id, owner_id, conversation_id, message_id, words)
        SELECT search_number(NEW.created_at), owner_id, id, NEW.id, search_vector('@m' || owner_id, NEW.text)
        FROM conversations_conversation WHERE id = NEW.conversation_id;
    RETURN NULL;
END $$""",
    """
CREATE FUNCTION search_title() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM search_entry WHERE conversation_id = OLD.id AND message_id IS NULL;
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.title <> '' THEN
        INSERT INTO search_entry (id, owner_id, conversation_id, words)
            SELECT search_number(NEW.created_at), NEW.owner_id, NEW.id,
                search_vector('@t' || NEW.owner_id, NEW.title);
    END IF;
    RETURN NULL;
END $$""",
]
POSTGRESQL_DROP = [
    "DROP FUNCTION search_title() CASCADE",
    "DROP FUNCTION search_message() CASCADE",
    "DROP FUNCTION search_vector(text, text)",
    "DROP FUNCTION search_number(timestamptz)",
    "DROP FUNCTION search_folded(text)",
    "DROP SEQUENCE search_entry_number",
    "ALTER TABLE search_entry DROP COLUMN words",
]
