"""Defines the static files: third-party files that are served, hashed names, import map of modules.

No third-party file is in git. `npm ci` installs the packages of package-lock.json in node_modules, and only
the files named here are served, under `vendor/`. Modules import each other by bare name
(`grokweb/wire/socket.js`, `vendor/marked.js`); bundle.py makes a few files of them, or, if it cannot, an
import map maps those names to hashed addresses.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import BaseFinder
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.checks import CheckMessage
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import FileSystemStorage
from whitenoise.compress import Compressor
from whitenoise.storage import CompressedManifestStaticFilesStorage

from grokweb import bundle

NODE_MODULES = Path(settings.BASE_DIR) / "node_modules"
HIGHLIGHT = "@highlightjs/cdn-assets"
LANGUAGES = (
    "bash", "c", "cpp", "csharp", "css", "diff", "go", "java", "javascript", "json", "kotlin", "markdown",
    "php", "python", "ruby", "rust", "sql", "swift", "typescript", "xml", "yaml",
)  # fmt: skip

# Name below static/vendor/ -> file below node_modules/. Nothing else of node_modules is served.
FILES = {
    "marked.js": "marked/lib/marked.esm.js",
    "dompurify.js": "dompurify/dist/purify.es.mjs",
    "katex.js": "katex/dist/katex.mjs",  # used in MathML mode: needs no style sheet of its own
    "stix-two-math.woff2": "@fontsource/stix-two-math/files/stix-two-math-latin-400-normal.woff2",
    "mermaid.js": "mermaid/dist/mermaid.min.js",
    "highlight.js": f"{HIGHLIGHT}/es/core.min.js",
    **{f"highlight/{name}.js": f"{HIGHLIGHT}/es/languages/{name}.min.js" for name in LANGUAGES},
}
# Those that are no modules: frames load them by themselves (chat/core/frames.py).
SCRIPTS = ("mermaid",)
MODULE = re.compile(rf"(?P<kind>js|vendor)/(?!(?:{'|'.join(SCRIPTS)})\.js)(?P<name>.+\.js)")


class VendorStorage(FileSystemStorage):
    """Reads the files of FILES under their served names; knows no other name."""

    def __init__(self) -> None:
        super().__init__(location=NODE_MODULES)
        self.prefix = "vendor"  # collectstatic puts it before every name

    def path(self, name: str) -> str:
        source = NODE_MODULES / FILES[name]
        if not source.is_file():
            raise ImproperlyConfigured(
                f"node_modules/{FILES[name]} is missing: `make run` installs it (npm ci)"
            )
        return str(source)

    def get_modified_time(self, name: str) -> datetime:
        """Returns the time of installation: npm dates every file 1985, which would hide a new release."""
        return datetime.fromtimestamp(Path(self.path(name)).stat().st_ctime, tz=UTC)


class VendorFinder(BaseFinder):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.storage = VendorStorage()

    def check(self, **kwargs: Any) -> list[CheckMessage]:
        return []

    def find(self, path: str, find_all: bool = False, **kwargs: Any) -> Any:
        name = path.removeprefix("vendor/")
        if name == path or name not in FILES or not (NODE_MODULES / FILES[name]).is_file():
            return []
        found = self.storage.path(name)
        return [found] if find_all or kwargs.get("all") else found

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, VendorStorage]]:
        for name in FILES:
            yield name, self.storage


class NewFilesCompressor(Compressor):  # type: ignore[misc]
    """Compresses only files that changed: Brotli at its best level takes seconds for all of them."""

    def compress(self, path: str) -> Iterator[str]:
        done = Path(f"{path}.br")
        # The copy gets the time of its original, less what a float cannot hold.
        if not done.exists() or done.stat().st_mtime < Path(path).stat().st_mtime - 0.001:
            yield from super().compress(path)


class HashedStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Serves hashed names and compressed copies; plain names until `collectstatic` has written a manifest."""

    # Only addresses inside style sheets are rewritten. Modules go through the import map, and the source maps
    # that third-party files name are not served.
    patterns = tuple(entry for entry in CompressedManifestStaticFilesStorage.patterns if entry[0] == "*.css")

    def create_compressor(self, **options: Any) -> Compressor:
        return NewFilesCompressor(**options)

    def post_process(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        yield from super().post_process(*args, **kwargs)
        if not kwargs.get("dry_run"):
            for name in bundle.build(Path(self.location)):  # esbuild has put a hash into each
                compressed = list(self.create_compressor(quiet=True).compress(self.path(name)))
                yield name, name, bool(compressed)

    def stored_name(self, name: str) -> str:
        return super().stored_name(name) if self.hashed_files else name


def module_names() -> list[str]:
    """Returns the static names of all ES modules: ours below js/ and those of FILES."""
    collected = getattr(staticfiles_storage, "hashed_files", {})
    if collected:
        return sorted(name for name in collected if MODULE.fullmatch(name))
    ours = Path(settings.BASE_DIR) / "static"
    names = [path.relative_to(ours).as_posix() for path in (ours / "js").rglob("*.js")]
    return sorted(name for name in names + [f"vendor/{name}" for name in FILES] if MODULE.fullmatch(name))


def import_map() -> dict[str, str]:
    """Maps bare names and unhashed addresses (of relative imports) to the addresses to fetch."""
    modules: dict[str, str] = {}
    for name in module_names():
        kind, rest = name.split("/", 1)
        address = staticfiles_storage.url(name)
        modules[f"{'grokweb' if kind == 'js' else kind}/{rest}"] = address
        plain = f"{settings.STATIC_URL}{name}"
        if address != plain:
            modules[plain] = address
    return modules
