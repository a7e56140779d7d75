"""How the cache writes into Redis: as JSON. Pickle, Django's own way, would run what somebody put there."""

from __future__ import annotations

import json
from typing import Any


class JSONSerializer:
    """For `CACHES[…]["OPTIONS"]["serializer"]`. Whole numbers stay bare, so that Redis can count."""

    def dumps(self, value: Any) -> int | bytes:
        return value if type(value) is int else json.dumps(value, ensure_ascii=False).encode()

    def loads(self, data: bytes) -> Any:
        return json.loads(data)
