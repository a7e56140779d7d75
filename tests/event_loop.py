"""Closes the Redis connections that belong to an event loop together with the loop.

A web process has one event loop, and its connections end with the process. Tests have a loop each: without
this, every one of them leaves its connections open until the last test has run.
"""

from __future__ import annotations

import asyncio
import sys


class Loop(asyncio.SelectorEventLoop):
    def close(self) -> None:
        for module, owners in (("chat.core.rate_limiter", "_limiters"), ("chat.turns.hub", "_hubs")):
            # A test without chat has not loaded them.
            found = getattr(sys.modules.get(module), owners, {})
            if not self.is_closed() and (owner := found.pop(self, None)) is not None:
                self.run_until_complete(owner.close())
        super().close()


class Policy(asyncio.DefaultEventLoopPolicy):
    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        return Loop()
