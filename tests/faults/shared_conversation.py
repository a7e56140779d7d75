"""`python -m tests.faults.shared_conversation < answers`: shares a conversation with these answers (a JSON
list of texts) and prints the path of its page.

Runs in the environment of the service it is for.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def share(answers: Sequence[str], environment: Mapping[str, str]) -> str:
    """The path of a new shared page of a running service."""
    made = subprocess.run(
        [sys.executable, "-m", "tests.faults.shared_conversation"],
        cwd=ROOT,
        env=dict(environment),
        check=True,
        input=json.dumps(list(answers)),
        capture_output=True,
        text=True,
        timeout=120,
    )
    return made.stdout.splitlines()[-1]


def main() -> None:
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "grokweb.settings"
    django.setup()
    from chat.accounts.models import User
    from chat.conversations.branches import set_leaf
    from chat.conversations.lifecycle import create_conversation
    from chat.conversations.models import Message, Role
    from chat.model_cards.models import ModelCard
    from chat.sharing.copying import create_share

    owner = User.objects.create_user(f"p{os.urandom(6).hex()}@example.org")
    model = ModelCard.objects.first() or ModelCard.objects.create(
        slug="unknown", name="Unknown", about="", context_tokens=1000
    )
    conversation = create_conversation(owner=owner, model=model, title="Long")
    last = None
    messages = []
    for number, answer in enumerate(json.load(sys.stdin)):
        for role, text in ((Role.USER, f"Question {number}?"), (Role.ASSISTANT, answer)):
            last = Message(conversation=conversation, parent=last, role=role, text=text)
            messages.append(last)
    Message.objects.bulk_create(messages, batch_size=20)
    set_leaf(owner, messages[-1])
    print(create_share(conversation=conversation, owner=owner).get_absolute_url())


if __name__ == "__main__":
    main()
