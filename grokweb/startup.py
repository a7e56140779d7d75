"""Checks the environment, reports each problem in one line, and runs the supervisor.

It loads no Django application, so that the page answers sooner. `manage.py up` calls main().
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "grokweb.settings")

from django.core.exceptions import ImproperlyConfigured

from grokweb import data_directory
from grokweb.instance_lock import StartError, take_lock
from grokweb.service_plan import Plan
from grokweb.supervisor import Supervisor
from grokweb.terminal import say
from inference.base import exit_status
from inference.base.env import InvalidSetting
from inference.base.model_list import entries as model_list

CHILDREN = ("web", "model-worker", "chat-worker", "beat", "jobs-worker", "tools-worker")


def check_model(model: str) -> tuple[str, str]:
    """Returns slug and name of a model that looks servable. No torch: the worker itself checks more."""
    from inference.engines import describe_model

    try:
        about = describe_model(model)
    except ValueError as error:  # ModelUnusable and RegistryError are
        raise InvalidSetting(f"GROKWEB_MODEL={model}: {error}") from None
    return about.slug, about.name


def check_models(data: Path, is_configured: bool) -> model_list.ModelList:
    """Returns what models.toml says. Wrong tables are reported when the others start.

    Raises InvalidSetting if the file cannot be read, or if nothing but wrong tables would be served.
    """
    try:
        found = model_list.read(data)
    except model_list.Unreadable as error:
        raise InvalidSetting(str(error)) from None
    if found.problems and not found.entries and not is_configured:
        raise InvalidSetting("; ".join(found.problems))
    return found


def default_name(models: model_list.ModelList, slug: str, *, demo: str, data: Path) -> str:
    """Returns the name of the model of new chats if it is one of models.toml, else nothing."""
    from inference.engines import describe_model

    if slug not in models.entries:
        return ""
    try:
        return describe_model(model_list.model_of(models.entries[slug], demo=demo, data=data)).name
    except ValueError:  # its worker says why
        return slug


def check_port(bind: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((bind, port))
            probe.listen(1)
        except OSError as error:
            raise StartError(
                f"port {port} on {bind}: {error.strerror or error}; set PORT to another one"
            ) from None


def check_redis(url: str) -> None:
    if not url:
        return
    import redis

    try:
        with redis.Redis.from_url(url, socket_connect_timeout=3, socket_timeout=3) as client:
            client.ping()
    except (redis.RedisError, ValueError) as error:
        raise StartError(f"REDIS_URL: Redis does not answer: {error}") from None


def end_restore(data: Path) -> None:
    """Undoes or finishes a restore that was killed (grokweb/backup/journal.py)."""
    if not any(data.glob(".restore*")):
        return
    from grokweb import settings
    from grokweb.backup import journal
    from grokweb.backup.errors import BackupError

    try:
        message = journal.recover(data, settings.DATABASES["default"])
    except (BackupError, OSError) as error:
        raise StartError(f"a restore was interrupted and cannot be completed: {error}") from None
    if message:
        say(message)


def check_data(data: Path) -> None:
    """Removes the rights of others; the directory may have been created by hand or by an older version."""
    try:
        if data_directory.tighten(data):
            say(f"{data} was open to other users of this machine; now it is not.")
    except data_directory.FolderShared as error:
        raise StartError(
            f"GROKWEB_DATA: {error}; `chmod 700` it, or choose a directory that contains nothing else"
        ) from None


def prepare() -> None:
    """Runs `manage.py prepare` in a process of its own, unless nothing has changed."""
    from grokweb import prepare_stamp

    try:
        if prepare_stamp.is_current():
            return
    except prepare_stamp.DatabaseUnreachable as error:
        raise StartError(f"DATABASE_URL: {error}") from None
    done = subprocess.run([sys.executable, "-m", "django", "prepare"], check=False, env=with_path())
    if done.returncode == exit_status.SETTING_INVALID:
        raise InvalidSetting("a setting cannot be used (see above)")
    if done.returncode != 0:
        raise StartError("the database could not be prepared (see above)")


def with_path() -> dict[str, str]:
    from grokweb import settings

    path = os.pathsep.join([str(settings.BASE_DIR), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path}


def plan(without: frozenset[str]) -> Plan:
    from urllib.parse import urlsplit

    from grokweb import settings
    from inference import settings as live

    slug, name = check_model(settings.MODEL)
    is_configured = bool(os.environ.get("GROKWEB_MODEL"))
    models = check_models(settings.DATA_DIR, is_configured)
    made = Plan(
        data=settings.DATA_DIR,
        run=settings.RUN_DIR,
        bind=settings.BIND,
        port=settings.PORT,
        host=urlsplit(settings.SITE_URLS[0]).netloc,
        address=f"{settings.SITE_URLS[0].rstrip('/')}/",
        model_slug=slug,
        model_name=name,
        slots=settings.SLOTS,
        handover=live.HANDOVER_SECONDS,
        redis_url=os.environ.get("REDIS_URL", ""),
        healthy=settings.HEALTHY_SECONDS,
        loop_seconds=settings.WEB_LOOP_SECONDS,
        pool_seconds=settings.WEB_POOL_SECONDS,
        tools=bool(settings.TOOLS),
        without=without,
        is_configured=is_configured,
        models=models,
        demo=live.DEMO_MODEL,
        threads=live.THREADS if os.environ.get("GROKWEB_THREADS") else model_list.cores(),
    )
    made.default_name = default_name(
        models, made.default_slug(models), demo=live.DEMO_MODEL, data=settings.DATA_DIR
    )
    return made


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="manage.py up", description="Run the whole service until Ctrl-C.")
    made.add_argument(
        "--without",
        action="append",
        default=[],
        choices=CHILDREN,
        metavar="NAME",
        help=f"leave out a process that runs elsewhere: {', '.join(CHILDREN)}",
    )
    return made


def up(without: Sequence[str]) -> int:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # closing a terminal ends nothing; children inherit this
    os.umask(0o077)  # what the service writes is for its owner alone
    try:
        planned = plan(frozenset(without))
        check_data(planned.data)
        lock = take_lock(planned.data, planned.run)
        if "web" not in planned.without:
            check_port(planned.bind, planned.port)
        check_redis(planned.redis_url)
        end_restore(planned.data)
        prepare()
    except (StartError, InvalidSetting, ImproperlyConfigured, OSError) as error:
        # OSError: a disk that is full or read-only
        say(f"GrokWeb cannot start: {error}")
        return exit_status.SETTING_INVALID if isinstance(error, InvalidSetting) else 1
    except KeyboardInterrupt:
        return 130
    return Supervisor(planned, lock).run()


def main(arguments: Sequence[str] | None = None) -> int:
    return up(parser().parse_args(arguments).without)


if __name__ == "__main__":
    sys.exit(main())
