"""Computes every size limit that a browser or a proxy meets, from the settings.

A MB is 2**20 bytes here, in the settings, in texts for people and in nginx's configuration.
"""

from __future__ import annotations

from dataclasses import dataclass

KIB, MIB = 1 << 10, 1 << 20

IMPORT_PATH, FILES_PATH = "/api/import/", "/api/files/"
FORM_BYTES = 64 * KIB  # around a file
JSON_BYTES = 1 * MIB  # forms and JSON: what Django takes
# Accepted by the web process where no file is expected; Django refuses half of it, with an explanation.
BODY_BYTES = 2 * JSON_BYTES

# Limit of a person's message, independent of the model. A frame of the websocket has room for any such text
# as JSON, where a character takes at most 6 bytes, and for the fields around it.
MESSAGE_CHARS = 65_536
FRAME_BYTES = 6 * MESSAGE_CHARS + 8 * KIB


@dataclass(frozen=True, slots=True)
class Sizes:
    import_bytes: int  # of the JSON of one import
    file_bytes: int  # of one file in a message
    files_bytes: int  # of all files of one person

    @classmethod
    def of_mb(cls, *, an_import: int, a_file: int, all_files: int) -> Sizes:
        return cls(an_import * MIB, a_file * MIB, all_files * MIB)

    @property
    def import_zip_bytes(self) -> int:
        """Returns the limit of a zip of everything, which contains files, too."""
        return self.import_bytes + self.files_bytes

    @property
    def doors(self) -> dict[str, int]:
        """Returns the paths that accept files, each with its largest body."""
        return {
            IMPORT_PATH: self.import_zip_bytes + FORM_BYTES,
            FILES_PATH: self.file_bytes + FORM_BYTES,
        }

    @property
    def proxy_mb(self) -> int:
        """Returns the largest body that a proxy must let through, in whole MB (docs/operators.md)."""
        return -(-max(BODY_BYTES, *self.doors.values()) // MIB)
