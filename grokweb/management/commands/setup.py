"""`manage.py setup`: the steps of the setup page on a terminal, as questions or as options."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from getpass import getpass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from django.utils import translation

from grokweb.first_setup import backups, leading, mail, model_choice, model_state, stored_settings
from grokweb.first_setup.missing import missing
from inference.base import env, exit_status
from inference.servers.address import is_address

LOOK_SECONDS = 1.0
OPTIONS = (
    "model", "sign_up", "email_file", "no_email", "language", "backup_folder", "no_backups", "yes",
)  # fmt: skip


class Command(BaseCommand):
    help = (
        "Set up a new installation: model, sign-up, e-mail, language, backups. Without options it asks; with "
        "options, or --yes, it asks nothing and leaves the rest as it is."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--yes", action="store_true", help="ask nothing")
        add("--search", action="store_true", help="print the model servers found on this machine, and end")
        add("--model", metavar="SOURCE", help="model of new chats: URL#model, hf:owner/name, or a folder")
        add("--key-file", type=Path, help="file with the key of the model's server")
        add("--key-name", default="", help="NAME of the environment variable that holds this key")
        add("--sign-up", choices=("open", "closed"), help="who may create accounts")
        add("--email-file", type=Path, help="file with the mail server, as in EMAIL_URL")
        add("--sender", default="", help="address that e-mails are from")
        add("--no-email", action="store_true", help="send no e-mail")
        add("--language", help="code of the language for people who have chosen none")
        add("--backup-folder", help="folder in which the service makes backups by itself")
        add("--backup-hours", default=24, type=int, help="hours between two backups")
        add("--backup-keep", default=7, type=int, help="how many of them are kept")
        add("--no-backups", action="store_true", help="let the service make no backups")
        add("--wait", action="store_true", help="wait until the model answers; status 1 if it cannot")

    def handle(self, *args: Any, **options: Any) -> None:
        with translation.override("en"):
            if options["search"]:
                self._print_found()
                return
            asks = not any(options[name] for name in OPTIONS)
            if asks and not (sys.stdin.isatty() and sys.stdout.isatty()):
                raise CommandError(
                    "this is no terminal: give options, such as --model and --yes (--help lists them)",
                    returncode=exit_status.SETTING_INVALID,
                )
            try:
                leading.is_done()
            except DatabaseError:
                raise CommandError(
                    "the database is not prepared: start the service once, or run `manage.py prepare`",
                    returncode=exit_status.SETTING_INVALID,
                ) from None
            try:
                self._ask_all() if asks else self._carry_out(options)
            except (EOFError, KeyboardInterrupt):
                raise CommandError("ended; what was answered before is stored", returncode=130) from None

    # --- With options -------------------------------------------------------------------------------------

    def _carry_out(self, options: dict[str, Any]) -> None:
        """Carries out what was given, in the order of the page; the first wrong one ends the command."""
        slug = ""
        try:
            if options["model"]:
                key = _content(options["key_file"])
                slug = model_choice.choose_source(
                    None, options["model"], key=key, key_name=options["key_name"]
                )
                self.stdout.write(f"New chats get {slug}; a running `manage.py up` starts its worker now.")
            if options["sign_up"]:
                stored_settings.set_sign_up(None, options["sign_up"] == "open")
                self.stdout.write(f"Sign-up is {options['sign_up']}.")
            if options["no_email"]:
                mail.stop_mail(None)
                self.stdout.write("No e-mail is sent.")
            if options["email_file"]:
                sender = options["sender"] or settings.DEFAULT_FROM_EMAIL
                mail.set_mail_url(None, _content(options["email_file"]), sender)
                self.stdout.write("The mail server answered and is stored.")
            if options["language"]:
                stored_settings.set_language(None, options["language"])
                self.stdout.write("The language takes effect at the next start.")
            if options["no_backups"]:
                backups.stop_backups(None)
                self.stdout.write("The service makes no backups.")
            if options["backup_folder"]:
                hours, keep = str(options["backup_hours"]), str(options["backup_keep"])
                self._set_backups(options["backup_folder"], hours, keep)
        except ValueError as error:  # Refusal is
            raise CommandError(str(error), returncode=exit_status.SETTING_INVALID) from None
        except OSError as error:
            raise CommandError(f"{error.filename or 'settings'}: {error.strerror or error}") from None
        self._finish()
        if slug and options["wait"] and not self._wait_for(slug):
            sys.exit(1)

    # --- With questions -----------------------------------------------------------------------------------

    def _ask_all(self) -> None:
        self.stdout.write("Enter keeps what is there; Ctrl-C ends.\n")
        slug = self._until_right(self._ask_model)
        if self._is_open_to_change("GROKWEB_SIGNUP"):
            self._until_right(self._ask_sign_up)
        if self._is_open_to_change("EMAIL_URL"):
            self._until_right(self._ask_mail)
        if self._is_open_to_change("GROKWEB_LANGUAGE"):
            self._until_right(self._ask_language)
        if self._is_open_to_change("GROKWEB_BACKUP_FOLDER"):
            self._until_right(self._ask_backups)
        self._finish()
        if slug:
            self.stdout.write("Ctrl-C ends the waiting; the model goes on.")
            self._wait_for(slug)

    def _until_right(self, ask: Callable[[], str]) -> str:
        while True:
            try:
                return ask()
            except ValueError as error:  # Refusal is
                self.stdout.write(str(error))
            except OSError as error:
                self.stdout.write(f"It could not be stored: {error.strerror or error}")

    def _is_open_to_change(self, name: str) -> bool:
        if env.is_in_environment(name):
            self.stdout.write(f"{name} is set by the environment.")
            return False
        return True

    def _ask_model(self) -> str:
        sources: list[str] = []
        if not _question("Search this machine for model servers? [Y/n] ").lower().startswith("n"):
            sources = self._print_found()
        given = _question("Model (a number of the list, URL#model, hf:owner/name, or a folder): ")
        if not given:
            return ""
        if given.isdecimal() and 1 <= int(given) <= len(sources):
            given = sources[int(given) - 1]
        key = ""
        if is_address(given):
            key = getpass("Key of the server (not shown; Enter for none): ").strip()
            self._try_out(given, key)
        slug = model_choice.choose_source(None, given, key=key)
        self.stdout.write(f"New chats get {slug}.")
        return slug

    def _try_out(self, source: str, key: str) -> None:
        """Raises ValueError unless the model answers, or it shall be used all the same."""
        from grokweb.first_setup import servers

        try:
            trial = servers.try_out(source, key)
        except ValueError as error:
            self.stdout.write(str(error))
            if not _question("Use it all the same? [y/N] ").lower().startswith("y"):
                raise ValueError("Nothing was changed.") from None
        else:
            self.stdout.write(f"It answers after {trial.seconds:.1f} s: {trial.text}")

    def _ask_sign_up(self) -> str:
        given = _question(
            f"May anyone who can open the page sign up? [{'Y/n' if settings.SIGNUP_OPEN else 'y/N'}] "
        )
        if given:
            stored_settings.set_sign_up(None, given.lower().startswith("y"))
        return given

    def _ask_mail(self) -> str:
        given = _question("Mail server, such as smtp+tls://user@mail.example.org:587: ")
        if not given:
            return ""
        split = urlsplit(given)
        if split.username and not split.password:
            password = quote(getpass("Password of the mail server (not shown): "), safe="")
            given = given.replace("@", f":{password}@", 1)
        sender = _question(f"Sender [{settings.DEFAULT_FROM_EMAIL}]: ") or settings.DEFAULT_FROM_EMAIL
        mail.set_mail_url(None, given, sender)
        self.stdout.write("The mail server answered and is stored.")
        return given

    def _ask_language(self) -> str:
        codes = ", ".join(code for code, _name in settings.LANGUAGES)
        given = _question(f"Language for people who have chosen none ({codes}) [{settings.LANGUAGE_CODE}]: ")
        if given:
            stored_settings.set_language(None, given)
            self.stdout.write("It takes effect at the next start.")
        return given

    def _ask_backups(self) -> str:
        plan = settings.BACKUPS
        given = _question(f"Folder for a backup every {plan.hours or 24} hours [{plan.folder or 'none'}]: ")
        if given:
            self._set_backups(given, str(plan.hours or 24), str(plan.keep))
        return given

    # --- Both ---------------------------------------------------------------------------------------------

    def _print_found(self) -> list[str]:
        """Prints models found on this machine with their numbers. Returns their sources."""
        from grokweb.first_setup import servers

        sources = []
        for server in servers.search():
            for model in server.models:
                sources.append(f"{server.url}#{model}")
                self.stdout.write(f"{len(sources):3}  {server.name}  {sources[-1]}")
        if not sources:
            self.stdout.write("No model server answered on the usual ports.")
        return sources

    def _set_backups(self, folder: str, hours: str, keep: str) -> None:
        backups.set_backups(None, folder=folder, hours=hours, keep=keep)
        self.stdout.write(f"A running service makes a backup in {folder} every {hours} hours.")

    def _finish(self) -> None:
        leading.close(None, leading.FINISHED)
        for each in missing():
            self.stdout.write(f"still missing: {each.check}: {each.words}")

    def _wait_for(self, slug: str) -> bool:
        """Prints each change of the model's state. Returns whether it answers."""
        before = ""
        while True:
            found = model_state.state_of(slug)
            percent = f" {found.percent} %" if found.percent else ""
            words = f"{slug}: {found.words}{percent} {found.detail}".rstrip()
            if words != before:
                self.stdout.write(words)
            if found.kind in {"answers", "problem"}:
                return found.kind == "answers"
            before = words
            time.sleep(LOOK_SECONDS)


def _question(words: str) -> str:
    return input(words).strip()


def _content(path: Path | None) -> str:
    """Returns what a file holds, "" for none. Raises OSError and ValueError."""
    return path.read_text().strip() if path else ""
