"""Runs the web process (`python -m grokweb.web`): a counted event loop, and the server of web_server.py."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import sqlite3
import sys
from collections.abc import Sequence
from typing import Any

import uvloop

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "grokweb.settings")

from django.conf import settings

from grokweb import watchdog
from inference.base.exit_status import on_invalid_setting

with on_invalid_setting():
    _ = settings.DATA_DIR  # reads all of them

POOLS = watchdog.Pools()
COUNTING_LOOP = watchdog.counting(uvloop.Loop, POOLS)


class LoopPolicy(uvloop.EventLoopPolicy):  # type: ignore[misc]  # made on demand, without types
    def _loop_factory(self) -> Any:
        return COUNTING_LOOP()


asyncio.set_event_loop_policy(LoopPolicy())  # before Daphne: it makes its event loop when it is imported

from daphne.endpoints import build_endpoint_description_strings

from grokweb.asgi_wrappers import behind_proxy, with_room_for_bodies
from grokweb.web_server import WebServer
from inference.base.logs import catch_what_python_prints

logger = logging.getLogger("grokweb.web")

MAIL_SECONDS = 0.8  # for mails that are being sent when the process stops; counts against WEB_SECONDS


def keep_database_open() -> sqlite3.Connection | None:
    """Opens a connection to SQLite that is never closed, so that pages can be read from a full disk.

    The last connection that closes removes the -wal and -shm files; without space to create them again,
    nobody could read.
    """
    database = settings.DATABASES["default"]
    if database["ENGINE"] != "django.db.backends.sqlite3":
        return None
    connection = sqlite3.connect(database["NAME"], uri=str(database["NAME"]).startswith("file:"), timeout=20)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("SELECT name FROM sqlite_master LIMIT 1").fetchone()  # opens both files
    except sqlite3.Error as error:
        logger.warning("the database is not kept open: %s", error)
    return connection


def main(arguments: Sequence[str] | None = None) -> int:
    from twisted.internet import reactor  # Daphne has chosen it by now

    from chat.accounts import mailing
    from grokweb.asgi import application

    parser = argparse.ArgumentParser(prog="python -m grokweb.web", description=__doc__)
    parser.add_argument("--pulse", type=int, metavar="FD", help="pipe to the supervisor (watchdog.py)")
    fd = parser.parse_args(arguments).pulse
    catch_what_python_prints()
    application = with_room_for_bodies(application)
    if settings.BEHIND_PROXY:
        application = behind_proxy(application)
    connection = keep_database_open()  # for as long as this process lives
    gc.freeze()  # modules loaded by now stay: garbage collection need not visit them
    server = WebServer(
        application, build_endpoint_description_strings(host=settings.BIND, port=settings.PORT)
    )
    if fd is not None:
        reactor.callWhenRunning(lambda: watchdog.Pulse(fd, POOLS).beat(asyncio.get_event_loop()))
    server.run()
    if connection is not None:
        connection.close()
    mailing.finish(MAIL_SECONDS)
    if server.failure:
        sys.stderr.write(f"{server.failure}\n")
        return 1
    return 0


if __name__ == "__main__":
    status = main()
    logging.shutdown()
    sys.stderr.flush()
    os._exit(status)  # threads that wait for a lock or a socket must not delay the exit
