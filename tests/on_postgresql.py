"""Chooses the tests that run a second time, on PostgreSQL (marker `postgresql`).

Tests whose result may depend on the database also run on PostgreSQL: queries, constraints, transactions,
locks, sorting, and values that a column refuses. Of a parametrised test the first case runs, because its
cases ask the same queries; in the files of EVERY_CASE each case is a query of its own, or a value that
reaches one. The tests in the files of LEFT_OUT do not depend on the database. When tests/run.py is given
tests by name, it runs every case.
"""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
EVERY_CASE = (
    "tests/chat/accounts/test_last_administrator.py",
    "tests/chat/conversations/test_conversation_doors.py",
    "tests/chat/conversations/test_conversations.py",
    "tests/chat/core/test_audit.py",
    "tests/chat/core/test_storage.py",
    "tests/chat/moderation/test_entry_points.py",
    "tests/chat/quotas/test_quotas.py",
    "tests/chat/search/test_search.py",
    "tests/chat/search/test_terms.py",
    "tests/chat/sharing/test_suspended_owner.py",
    "tests/chat/sharing/test_takedowns.py",
    "tests/chat/staff/test_admin.py",
    "tests/chat/staff/test_decisions.py",
    "tests/chat/staff/test_hostile_addresses.py",
    "tests/chat/staff/test_people.py",
    "tests/chat/staff/test_private_conversations.py",
    "tests/chat/staff/test_titles_on_record.py",
    "tests/chat/transfer/test_hostile_files.py",
    "tests/chat/transfer/test_jsonl.py",
    "tests/chat/turns/test_limited_models.py",
    "tests/chat/turns/test_lost_ends.py",
    "tests/chat/turns/test_machine.py",
    "tests/chat/turns/test_model_choice.py",
    "tests/test_emptying.py",
)
LEFT_OUT = (
    # Rendering of rows that other tests read.
    "tests/chat/accounts/test_wording.py",
    "tests/chat/core/test_pwa.py",
    "tests/chat/sharing/test_long_pages.py",
    "tests/chat/sharing/test_shared_markup.py",
    "tests/chat/sharing/test_shared_page.py",
    # When backups are made and kept; tests/grokweb/backup/test_backup.py and others test how one is made.
    "tests/grokweb/backup/test_scheduled.py",
    # What comes from npm.
    "tests/grokweb/test_vendor.py",
)


def mark(items: list[pytest.Item]) -> None:
    """Adds the marker to those of `items` that use a database; they are in the order of their files."""
    seen: set[str] = set()
    for item in items:
        file = item.path.relative_to(ROOT).as_posix() if item.path.is_relative_to(ROOT) else ""
        if file in LEFT_OUT or not item.get_closest_marker("database"):
            continue
        function = item.nodeid.partition("[")[0]
        if function not in seen or file in EVERY_CASE:
            item.add_marker("postgresql")
        seen.add(function)
