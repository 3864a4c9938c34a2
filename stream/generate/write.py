"""Generated files: written, or compared with what is committed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path


def drifted(root: Path, files: Mapping[str, str], folders: Iterable[str] = ()) -> list[str]:
    """Return the paths under *root* that differ from *files* (path -> text), sorted.

    In *folders* everything is generated: a file there that is not among *files* has drifted too.
    """
    wrong = {path for path, text in files.items() if _read(root / path) != text}
    return sorted(wrong | _strays(root, files, folders))


def write(root: Path, files: Mapping[str, str], folders: Iterable[str] = ()) -> list[str]:
    """Make *files* (path -> text) under *root* what they should be; return the paths that changed, sorted.

    In *folders* everything is generated: a file there that is not among *files* is removed. Raises OSError.
    """
    changed = drifted(root, files, folders)
    for path in changed:
        target = root / path
        if path in files:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(files[path].encode())
        else:
            target.unlink()
    return changed


def _read(path: Path) -> str | None:
    try:
        return path.read_bytes().decode()
    except (FileNotFoundError, UnicodeDecodeError):
        return None


def _strays(root: Path, files: Mapping[str, str], folders: Iterable[str]) -> set[str]:
    found = {path for folder in folders for path in (root / folder).rglob("*") if path.is_file()}
    return {path.relative_to(root).as_posix() for path in found} - set(files)
