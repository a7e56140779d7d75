"""`manage.py models remove --delete-files` deletes fetched models that nothing else uses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.grokweb.service import ROOT, Service


def test_the_files_of_a_removed_model_are_deleted_on_request_unless_something_uses_them(
    tmp_path: Path,
) -> None:
    service = Service(tmp_path, GROKWEB_MODEL="hf:acme/of-settings")
    data = service.data
    data.mkdir(mode=0o700)
    for name in ("acme--shared", "acme--own", "acme--stays", "acme--of-settings"):
        folder = data / "models" / name
        folder.mkdir(parents=True)
        (folder / "hub.json").write_text("{}")
        (folder / "model.safetensors").write_bytes(bytes(3_000_000))
    (data / "models" / ".fetching" / "acme--own").mkdir(parents=True)
    (data / "models.toml").write_text(
        "[one]\nsource = 'hf:acme/shared'\n[two]\nsource = './models/acme--shared'\n"
        "[own]\nsource = 'hf:acme/own'\n[stays]\nsource = 'hf:acme/stays'\n"
        "[again]\nsource = 'hf:acme/of-settings'\n[wrong]\nslots = 1\n"
    )

    def remove(slug: str, *options: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", "models", "remove", slug, *options],
            cwd=ROOT, env=service.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        [_removed, *more] = done.stdout.splitlines()
        return "\n".join(more)

    kept = "its files stay (3.0 MB): "
    assert remove("one", "--delete-files") == f"hf:acme/shared: {kept}[two] in models.toml uses them."
    assert remove("again", "--delete-files") == f"hf:acme/of-settings: {kept}GROKWEB_MODEL uses them."
    assert remove("stays") == "hf:acme/stays: its files stay (3.0 MB); --delete-files would delete them."
    assert remove("wrong", "--delete-files") == "Its table could not be read, so no files were deleted."
    assert remove("own", "--delete-files") == "hf:acme/own: its files are deleted (3.0 MB)."
    assert sorted(path.name for path in (data / "models").iterdir()) == [
        ".fetching", "acme--of-settings", "acme--shared", "acme--stays"
    ]  # fmt: skip
    assert [path for path in (data / "models" / ".fetching").iterdir() if path.is_dir()] == []
