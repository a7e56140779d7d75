"""Chooses the tests of `make unit` (marker `unit`), which is for every commit: at most 90 s on two cores.

Those are the first cases of all tests but the slow ones: browser, whole services and processes, long
computations, and files whose tests take a quarter of a second each, mostly because they wait for replies.
"""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SLOW = (
    "tests/chat/account_deletion/test_account_deletion.py",
    "tests/chat/account_deletion/test_delete_conversations.py",
    "tests/chat/accounts/test_attempts.py",
    "tests/chat/accounts/test_devices.py",
    "tests/chat/core/test_hooks.py",
    "tests/chat/files/test_encodings.py",
    "tests/chat/files/test_file_migrations.py",
    "tests/chat/files/test_images.py",
    "tests/chat/files/test_pdf.py",
    "tests/chat/files/test_reading.py",
    "tests/chat/files/test_upload.py",
    "tests/chat/model_cards/test_migrations.py",
    "tests/chat/model_cards/test_texts_and_defaults.py",
    "tests/chat/moderation/test_breadth.py",
    "tests/chat/moderation/test_rule_migrations.py",
    "tests/chat/moderation/test_stale_decisions.py",
    "tests/chat/personas/test_new_chats.py",
    "tests/chat/personas/test_personas.py",
    "tests/chat/quotas/test_quota_migrations.py",
    "tests/chat/search/test_search.py",
    "tests/chat/search/test_terms.py",
    "tests/chat/sharing/test_long_pages.py",
    "tests/chat/sharing/test_same_structure.py",
    "tests/chat/sharing/test_share_migrations.py",
    "tests/chat/sharing/test_shared_page.py",
    "tests/chat/staff/test_admin.py",
    "tests/chat/staff/test_hostile_addresses.py",
    "tests/chat/staff/test_outbound_requests.py",
    "tests/chat/transfer/test_account_archive.py",
    "tests/chat/transfer/test_export.py",
    "tests/chat/transfer/test_hostile_files.py",
    "tests/chat/transfer/test_images.py",
    "tests/chat/transfer/test_other_services.py",
    "tests/chat/transfer/test_personas_file.py",
    "tests/chat/turns/test_answer_length.py",
    "tests/chat/turns/test_call_migrations.py",
    "tests/chat/turns/test_calls_given_up.py",
    "tests/chat/turns/test_calls_rechecked.py",
    "tests/chat/turns/test_card_defaults.py",
    "tests/chat/turns/test_charges.py",
    "tests/chat/turns/test_columns.py",
    "tests/chat/turns/test_continued_thoughts.py",
    "tests/chat/turns/test_details.py",
    "tests/chat/turns/test_effort.py",
    "tests/chat/turns/test_exported_calls.py",
    "tests/chat/turns/test_failures.py",
    "tests/chat/turns/test_hidden_and_retired_models.py",
    "tests/chat/turns/test_images_to_servers.py",
    "tests/chat/turns/test_just_ended.py",
    "tests/chat/turns/test_kinds.py",
    "tests/chat/turns/test_limited_models.py",
    "tests/chat/turns/test_limits.py",
    "tests/chat/turns/test_long_branches.py",
    "tests/chat/turns/test_lost_ends.py",
    "tests/chat/turns/test_machine.py",
    "tests/chat/turns/test_missed_events.py",
    "tests/chat/turns/test_model_choice.py",
    "tests/chat/turns/test_models.py",
    "tests/chat/turns/test_pins.py",
    "tests/chat/turns/test_prompts.py",
    "tests/chat/turns/test_refused_frames.py",
    "tests/chat/turns/test_rest.py",
    "tests/chat/turns/test_rights.py",
    "tests/chat/turns/test_runs.py",
    "tests/chat/turns/test_sent_prompts.py",
    "tests/chat/turns/test_socket.py",
    "tests/chat/turns/test_steps.py",
    "tests/chat/turns/test_storage.py",
    "tests/chat/turns/test_summaries.py",
    "tests/chat/turns/test_temporary.py",
    "tests/chat/turns/test_thoughts_stay_inside.py",
    "tests/chat/turns/test_titles.py",
    "tests/chat/turns/test_tool_settings.py",
    "tests/chat/turns/test_tools.py",
    "tests/chat/turns/test_tree_verbs.py",
    "tests/chat/turns/test_trials.py",
    "tests/chat/turns/test_waiting_for_tools.py",
    "tests/grokweb",
    "tests/inference/base/test_outbound.py",
    "tests/inference/core/test_plan.py",
    "tests/inference/core/test_sampling.py",
    "tests/inference/demo",
    "tests/inference/grok1",
    "tests/inference/grok2/test_network.py",
    "tests/inference/hf_models/test_loading.py",
    "tests/inference/hf_models/test_serving.py",
    "tests/inference/hub/test_fetching.py",
    "tests/inference/hub/test_fetching_continued.py",
    "tests/inference/hub/test_fetching_misbehaved.py",
    "tests/inference/hub/test_fetching_refused.py",
    "tests/inference/model_dir/test_describe.py",
    "tests/inference/native",
    "tests/inference/networks/test_int8.py",
    "tests/inference/outbound/test_httpx_transport.py",
    "tests/inference/servers/test_admission.py",
    "tests/inference/servers/test_real_servers.py",
    "tests/inference/servers/test_replicas.py",
    "tests/inference/servers/test_requests.py",
    "tests/inference/servers/test_streams.py",
    "tests/inference/text/test_alternate.py",
    "tests/inference/wire/test_queue_fairness.py",
    "tests/inference/wire/test_queue_properties.py",
    "tests/inference/worker",
    "tests/inference/xai_import",
    "tests/js/test_js.py",
    "tests/protocol/test_cases.py",
    "tests/test_connections.py",
    "tests/test_run.py",
)

# These need not even be imported.
LEFT_OUT = ("tests/e2e", "tests/faults", *SLOW)


def mark(items: list[pytest.Item]) -> None:
    """Adds the marker to the first case of each test; SLOW is left out by pytest's own options."""
    seen: set[str] = set()
    for item in items:
        function = item.nodeid.partition("[")[0]
        if function not in seen:
            item.add_marker("unit")
        seen.add(function)
