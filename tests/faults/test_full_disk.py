"""The disks of a running service fill up, or can no longer be written to, and are freed again."""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from grokweb import redis_server
from tests.faults.client import Tab, wait_for
from tests.faults.conftest import ENVIRONMENT, PEOPLE, running
from tests.faults.drill import SCRIPT, WORDS, Drill
from tests.faults.people import invite
from tests.grokweb.service import Service, is_running

pytestmark = pytest.mark.faults_sqlite
