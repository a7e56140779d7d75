"""Live replies end before anybody goes: the same worker inside the test process as for sockets."""

from tests.chat.turns.conftest import broker, tabs

__all__ = ["broker", "tabs"]
