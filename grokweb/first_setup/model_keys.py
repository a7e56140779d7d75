"""Decides which key may go to which model server, and records in the audit log that it goes there."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.core import audit
from grokweb.first_setup.refusal import Refusal
from inference.base import env
from inference.base.model_list.entries import OWN_SECRETS, VARIABLE, read, secret_names
from inference.model_dir.headers import ModelUnusable
from inference.servers.address import parse_address


def address_of(url: str, model: str) -> str:
    """Returns `URL#model`, checked. Raises Refusal and ModelUnusable."""
    url, _mark, named = url.strip().partition("#")
    model = model.strip() or named.strip()
    if not url:
        raise Refusal(_("Enter the address of the server, such as http://localhost:11434/v1."))
    if not model:
        raise Refusal(_("Enter the model's name, as the server calls it."))
    parse_address(f"{url}#{model}")
    return f"{url}#{model}"


def checked_source(url: str, model: str, key: str, key_name: str) -> str:
    """Returns the source of a model whose key, if it has one, may be sent to its server."""
    source = address_of(url, model)
    if key and key_name:
        raise Refusal(_("Give the key or the name of a variable, not both."))
    if key_name:
        _check_key_name(key_name, source)
    return source


def _check_key_name(name: str, source: str) -> None:
    """Refuses files, secrets of the service and keys of other servers: they must not be sent to this one."""
    if not VARIABLE.fullmatch(name):
        raise Refusal(_("A variable's name has capital letters, digits and underscores, such as QWEN_KEY."))
    named_by = [entry for entry in read(settings.DATA_DIR).entries.values() if entry.key == name]
    bases = _bases(source)
    is_of_another = named_by and not any(bases <= _bases(entry.source) for entry in named_by)
    if is_setting(name) or name in OWN_SECRETS or is_of_another:
        raise Refusal(
            _("%(name)s is for something else, which this server must not get: use another variable.")
            % {"name": name}
        )


def is_setting(name: str) -> bool:
    deprecated = env.DEPRECATED.values()
    return name.startswith("GROKWEB_") or name in {*env.KNOWN, *deprecated, "DATABASE_URL", "REDIS_URL"}


def _bases(source: str) -> frozenset[str]:
    """Returns the base URLs of a source, none for a model that runs here."""
    try:
        return frozenset(parse_address(source).bases)
    except ModelUnusable:
        return frozenset()


def record_asking(by: User | None, source: str, key: str, key_name: str) -> None:
    """Records which server gets which key, before it does."""
    served = parse_address(source)
    hosts = ", ".join(urlsplit(base).netloc for base in served.bases)
    about = key_name or ("entered" if key else "none")
    audit.record(by, "ask model server", "setup", server=hosts, model=served.model, key=about)


def key_named(name: str) -> str:
    """Returns the key in an environment variable. Raises Refusal."""
    if name in held_back() or not os.environ.get(name):
        raise Refusal(
            _("This process does not have the variable %(name)s: it cannot be tested here.") % {"name": name}
        )
    return os.environ[name]


def held_back() -> frozenset[str]:
    """Returns the variables that only workers of models get; `manage.py up` has them."""
    return OWN_SECRETS | secret_names(read(settings.DATA_DIR).entries.values())
