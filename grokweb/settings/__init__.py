"""Defines every Django setting with its reason, in one module for each concern.

Values come from inference/base/env.py; docs/settings.md lists the variables.
"""

from grokweb.settings.accounts import *  # noqa: F403
from grokweb.settings.addresses import *  # noqa: F403
from grokweb.settings.applications import *  # noqa: F403
from grokweb.settings.backups import *  # noqa: F403
from grokweb.settings.browser import *  # noqa: F403
from grokweb.settings.features import *  # noqa: F403
from grokweb.settings.limits import *  # noqa: F403
from grokweb.settings.logs import *  # noqa: F403
from grokweb.settings.models import *  # noqa: F403
from grokweb.settings.places import *  # noqa: F403
from grokweb.settings.push import *  # noqa: F403
from grokweb.settings.stores import *  # noqa: F403
from grokweb.settings.timings import *  # noqa: F403
