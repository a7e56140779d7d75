"""The processes between the model and the people die; the model goes on meanwhile."""

from __future__ import annotations

import pytest

from tests.faults.drill import Drill


@pytest.mark.fault("web process SIGKILL")
@pytest.mark.faults_sqlite
def test_replies_go_on_while_the_web_process_is_killed(drill: Drill) -> None:
    asked = drill.ask()
    drill.wait_until_writing(10, replies=6)
    drill.kill("web")
    drill.ended_well()
    assert all(tab.connections == 2 for tab in drill.crowd.tabs)
    assert {drill.row(reply)["attempt"] for reply in asked} == {1}


@pytest.mark.fault("chat worker SIGKILL")
def test_replies_are_saved_after_the_chat_worker_was_killed(drill: Drill) -> None:
    """It saves the replies; what ends while it is away is saved when it is back."""
    asked = drill.ask()
    drill.wait_until_writing(40, replies=6)
    drill.kill("chat-worker")
    drill.ended_well()
    assert {(drill.row(reply)["attempt"], drill.row(reply)["strikes"]) for reply in asked} == {(1, 0)}
