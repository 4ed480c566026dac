"""Which documents there are: the user's, or this project's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from mixture.config import ConfigError
from mixture.retrieval.splitting import Document

SUFFIXES = frozenset({".md", ".markdown", ".rst", ".txt"})
_INSTALLED = "share/mixture/"


def load(paths: Sequence[str] | None) -> list[Document]:
    """The documents at `paths` (files, and folders with everything below them), or this project's own when None.

    Raises ConfigError, naming the path, when one does not exist or can't be read.
    """
    if paths is None:
        return own()
    found: dict[Path, str] = {}
    for path in paths:
        for file, source in _at(Path(path).expanduser()):
            found.setdefault(file.resolve(), source)
    return [_read(file, source) for file, source in found.items()]


def check(paths: Sequence[str] | None) -> None:
    """Raise ConfigError when one of `paths` does not exist; reads nothing."""
    for path in paths or ():
        if not Path(path).expanduser().exists():
            raise ConfigError(f"documents.paths: {path}: no such file or folder", param="documents.paths")


def own() -> list[Document]:
    """README.md and docs/*.md, out of the checkout or of the installed distribution."""
    root = Path(__file__).parents[2]
    if (root / "pyproject.toml").is_file():
        named = [root / "README.md", *sorted((root / "docs").glob("*.md"))]
        return [_read(file, file.relative_to(root).as_posix()) for file in named if file.is_file()]
    return [_read(file, source) for file, source in _installed()]


def _installed() -> list[tuple[Path, str]]:
    """The documents that the wheel put under `share/mixture`, as its list of files names them."""
    try:
        listed = files("mixture") or []
    except PackageNotFoundError:
        return []
    named = [(entry, entry.as_posix().partition(_INSTALLED)[2]) for entry in listed]
    return sorted((Path(str(entry.locate())), source) for entry, source in named if source.endswith(".md"))


def _at(path: Path) -> Iterator[tuple[Path, str]]:
    check([str(path)])
    if path.is_file():
        yield path, path.as_posix()
        return
    for file in sorted(path.rglob("*")):
        hidden = any(part.startswith(".") for part in file.relative_to(path).parts)
        if file.suffix.lower() in SUFFIXES and not hidden and file.is_file():
            yield file, file.as_posix()


def _read(file: Path, source: str) -> Document:
    try:
        # newlines stay as they are, so that offsets count the file's own characters
        with file.open(encoding="utf-8", errors="replace", newline="") as opened:
            return Document(source, opened.read())
    except OSError as error:
        raise ConfigError(f"documents.paths: {file}: {error.strerror or error}", param="documents.paths") from None
