"""Indexes the terms of chat/search/terms.py with tsvector and GIN. The terms are computed in SQL: triggers
cannot call Python.

It needs no extension, which only a superuser could install.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from chat.search.backends import Backend, Row, row_of
from chat.search.letters import UNSEEN
from chat.search.terms import MOST, RUN, TERM_CHARS, WITH_SIGN, WORD

_WORDS = " UNION ALL ".join(
    f"SELECT left(m[1], {TERM_CHARS}) AS term FROM said, regexp_matches(f, $e$({each})$e$, 'g') AS m"  # noqa: S608
    for each in (WORD, *WITH_SIGN)
)
FUNCTIONS = [
    # `fold` of terms.py.
    f"""
CREATE OR REPLACE FUNCTION search_folded(said text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT left(translate(lower(normalize(
        regexp_replace(normalize(left(said, {MOST}), NFKD), $e$[{UNSEEN}]+$e$, '', 'g'), NFC
    )), 'ς', 'σ'), {MOST})
$$""",
    # `terms` of terms.py; the last line makes the pairs of a run.
    f"""
CREATE OR REPLACE FUNCTION search_terms(said text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    WITH said AS MATERIALIZED (SELECT search_folded($1) AS f)
    SELECT coalesce(array_agg(DISTINCT term), '{{}}') FROM (
        {_WORDS}
        UNION ALL SELECT letter || coalesce(lead(letter) OVER (PARTITION BY run ORDER BY at), '')
        FROM said, regexp_matches(f, $e$({RUN})$e$, 'g') WITH ORDINALITY AS r(m, run),
            string_to_table(m[1], NULL) WITH ORDINALITY AS l(letter, at)
    ) AS found
$$""",  # noqa: S608
    # Entries of one kind and person share an extra term, which no text can have: it begins with a hyphen.
    """
CREATE OR REPLACE FUNCTION search_vector(scope text, said text) RETURNS tsvector LANGUAGE sql IMMUTABLE AS $$
    SELECT array_to_tsvector(ARRAY['-' || scope] || search_terms(said))
$$""",
]
DROP_FUNCTIONS = ["DROP FUNCTION search_terms(text)"]
CREATE = [
    "CREATE TRIGGER search_message AFTER INSERT OR DELETE OR UPDATE OF text, status, hidden_at"
    " ON conversations_message FOR EACH ROW EXECUTE FUNCTION search_message()",
    "CREATE TRIGGER search_title AFTER INSERT OR DELETE OR UPDATE OF title"
    " ON conversations_conversation FOR EACH ROW EXECUTE FUNCTION search_title()",
]
DROP = [
    "DROP TRIGGER IF EXISTS search_message ON conversations_message",
    "DROP TRIGGER IF EXISTS search_title ON conversations_conversation",
]
NEAR = 2_000  # newest entries that are searched before the index is used
_NEAR = """
SELECT e.id, e.conversation_id, e.message_id
FROM (
    SELECT id, conversation_id, message_id, words FROM search_entry
    WHERE owner_id = %s AND message_id IS {null} AND id < %s ORDER BY id DESC LIMIT %s
) e JOIN conversations_conversation c ON c.id = e.conversation_id AND c.deleted_at IS NULL
    AND NOT c.temporary
WHERE e.words @@ %s::tsquery ORDER BY e.id DESC LIMIT %s
"""
_FAR = """
WITH found AS MATERIALIZED (
    SELECT id, conversation_id, message_id FROM search_entry WHERE words @@ %s::tsquery AND id < %s
)
SELECT e.id, e.conversation_id, e.message_id
FROM found e JOIN conversations_conversation c ON c.id = e.conversation_id AND c.deleted_at IS NULL
    AND NOT c.temporary
ORDER BY e.id DESC LIMIT %s
"""


class Postgresql(Backend):
    label = "PostgreSQL"
    create = CREATE
    drop = DROP

    def rows(
        self, cursor: Any, owner: UUID, kind: str, terms: Sequence[str], below: int, limit: int
    ) -> list[Row]:
        """Finds a frequent word among the newest; a rare one has few rows in the index. Either is quick."""
        query = " & ".join([f"'-@{kind}{owner}'", *(f"{_quoted(term)}:*" for term in terms)])
        near = _NEAR.replace("{null}", "NULL" if kind == "t" else "NOT NULL")
        cursor.execute(near, [owner, below, NEAR, query, limit])
        rows = [row_of(*row) for row in cursor.fetchall()]
        if len(rows) < limit:
            cursor.execute(_FAR, [query, below, limit])
            rows = [row_of(*row) for row in cursor.fetchall()]
        return rows


def _quoted(term: str) -> str:
    """Returns a term as a tsquery has it; no term has an apostrophe."""
    return "'" + term.replace("\\", "\\\\") + "'"
