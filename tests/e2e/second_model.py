"""Makes and removes a second model, which no worker runs, in a running service."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta

from tests.grokweb.service import ROOT, Service

# Yesterday at noon: after two days it would leave the menus.
LAST_SEEN = datetime.now(UTC).replace(hour=12, minute=0, second=0) - timedelta(days=1)
SLEEPER = f"""
from datetime import datetime
from chat.model_cards.models import ModelCard
ModelCard.objects.create(
    slug="sleeper",
    name="Sleeper",
    about="Is never awake.",
    context_tokens=16384,
    sampling={{"temperature": 0.6, "top_k": 20}},
    last_seen_at=datetime.fromisoformat("{LAST_SEEN.isoformat()}"),
)
"""
# New chats get the model seen last: the one that runs must have been seen before there is another.
ANNOUNCED = """
import time
from chat.model_cards.models import ModelCard
deadline = time.monotonic() + 90
while not ModelCard.objects.filter(slug="scripted", last_seen_at__isnull=False).exists():
    assert time.monotonic() < deadline, "the model that runs was not seen"
    time.sleep(0.1)
"""
NO_SLEEPER = """
from chat.model_cards.models import ModelCard
ModelCard.objects.filter(slug="sleeper").delete()
"""


def in_service(service: Service, script: str) -> None:
    command = [sys.executable, "manage.py", "shell", "--no-imports", "-c", script]
    subprocess.run(command, cwd=ROOT, env=service.environment, capture_output=True, check=True)
