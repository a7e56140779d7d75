"""Tries out models, and makes one that of new chats. What happened is in the audit log, without any key.

`by` is None where no account acts. Each function changes everything or nothing; it raises Refusal, or a
ValueError with one line in English, or OSError.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.core import audit
from grokweb.first_setup.model_keys import checked_source, held_back, is_setting, key_named, record_asking
from grokweb.first_setup.refusal import Refusal
from grokweb.model_adding import absolute, add_model, change_key, may_change_key
from inference.base.model_list import editing
from inference.base.model_list.entries import Entry, read
from inference.hub.names import parse_name

if TYPE_CHECKING:
    from grokweb.first_setup.servers import Trial


def try_server(by: User | None, *, url: str, model: str, key: str = "", key_name: str = "") -> Trial:
    """Asks a model behind a URL one short question. Raises Refusal and ModelUnusable."""
    source = checked_source(url, model, key, key_name)
    secret = key_named(key_name) if key_name else key
    from grokweb.first_setup import servers  # loads the engine's HTTP client

    record_asking(by, source, key, key_name)
    return servers.try_out(source, secret)


def choose_server(by: User | None, *, url: str, model: str, key: str = "", key_name: str = "") -> str:
    """Makes a model behind a URL that of new chats. Returns its slug."""
    key, key_name = key.strip(), key_name.strip()
    source = checked_source(url, model, key, key_name)
    record_asking(by, source, key, key_name)
    return _choose(by, source, key=key, key_name=key_name)


def choose_name(by: User | None, name: str) -> str:
    """Makes a model of a hub that of new chats; its worker fetches it. Returns its slug."""
    return _choose(by, str(parse_name(name.strip())))


def choose_source(by: User | None, source: str, *, key: str = "", key_name: str = "") -> str:
    """Makes anything that `models add` accepts the model of new chats. Returns its slug.

    For people with a shell: `key_name` may also be the path of a file.
    """
    if is_setting(key_name) and key_name != "GROKWEB_MODEL_KEY":
        raise Refusal(_("%(name)s is a setting of the service, not the key of a model.") % {"name": key_name})
    return _choose(by, source, key=key, key_name=key_name)


def _choose(by: User | None, source: str, *, key: str = "", key_name: str = "") -> str:
    known = _entry_of(source)
    if known is None:
        try:
            slug = _add(source, key, key_name)
        except editing.CannotEdit:
            known = _entry_of(source)  # another request has added it meanwhile, such as a second click
            if known is None:
                raise
    if known is not None:
        slug = known.slug
        _change_key(known, key, key_name)
        editing.set_default(settings.DATA_DIR, slug)
    audit.record(by, "choose model", f"model:{slug}", source=source, key=_about_key(key, key_name))
    return slug


def _add(source: str, key: str, key_name: str) -> str:
    values = {"key": key_name} if key_name else {}
    return add_model(
        source, values=values, secret=key, is_default=True, is_numbered=True, held_back=held_back()
    ).slug


def _change_key(known: Entry, key: str, key_name: str) -> None:
    """Changes the key of a model that is there already, if another one was given."""
    if not key and key_name in ("", known.key):
        return
    if not may_change_key(known):
        raise Refusal(
            _("%(slug)s is there already, with the key in %(name)s: change that one, or leave the key empty.")
            % {"slug": known.slug, "name": known.key}
        )
    if not change_key(known, key_name=key_name, secret=key, held_back=held_back()):
        raise Refusal(
            _("The server does not answer, so that the new key cannot be tested: the old one stays.")
        )


def _entry_of(source: str) -> Entry | None:
    source = absolute(source)
    entries = read(settings.DATA_DIR).entries.values()
    return next((entry for entry in entries if entry.source == source), None)


def _about_key(key: str, key_name: str) -> str:
    return key_name or ("in a file" if key else "none")
