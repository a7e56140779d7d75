"""Configures the sizes, rates and numbers above which a request is refused."""

from __future__ import annotations

from chat.core.size_limits import FRAME_BYTES, JSON_BYTES, Sizes
from inference.base import env

DATA_UPLOAD_MAX_MEMORY_SIZE = JSON_BYTES
SIZES = Sizes.of_mb(
    an_import=env.integer(
        "GROKWEB_IMPORT_MB",
        50,
        "Largest JSON file that can be imported, in MB. A zip may have GROKWEB_FILES_MB more.",
        low=1,
        high=1000,
    ),
    a_file=env.integer(
        "GROKWEB_FILE_MB", 10, "Largest file that can be attached to a message, in MB.", low=1, high=100
    ),
    all_files=env.integer(
        "GROKWEB_FILES_MB", 200, "Total size of all files of one user, in MB.", low=1, high=100_000
    ),
)
IMPORT_BYTES, IMPORT_ZIP_BYTES = SIZES.import_bytes, SIZES.import_zip_bytes
FILE_BYTES, FILES_BYTES = SIZES.file_bytes, SIZES.files_bytes
FRAME_BYTES_IN = FRAME_BYTES

MAX_NEW_TOKENS = env.integer(
    "GROKWEB_MAX_NEW_TOKENS",
    0,
    "Longest answer, in tokens. 0: a quarter of the model's context, at least 512.",
    low=0,
    high=2**20,
)
QUEUE_LIMIT = env.integer(
    "GROKWEB_QUEUE_LIMIT",
    200,
    "Waiting and running replies above which new ones are refused; twice as many for users who have none.",
    low=1,
    high=100000,
)
USER_LIVE_LIMIT = env.integer(
    "GROKWEB_USER_LIVE_LIMIT", 8, "Replies that one user may have waiting or running.", low=1, high=1000
)
USER_RUNNING_LIMIT = env.integer(
    "GROKWEB_USER_RUNNING_LIMIT",
    2,
    "Replies of one user that run at the same time, unless a quota policy sets another number.",
    low=1,
    high=256,
)
DAILY_TOKENS = env.integer(
    "GROKWEB_DAILY_TOKENS",
    100_000,
    "Tokens per user and UTC day, unless a quota policy sets another number.",
    low=0,
    high=10**12,
)
PERSON_RATE = env.integer(
    "GROKWEB_PERSON_RATE",
    20,
    "Request units per second that one user may spend, over all tabs and web processes; "
    "ten times as many in a burst.",
    low=5,
    high=100_000,
)
