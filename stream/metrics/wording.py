"""How figures are said to people, the same on the page and on the terminal."""

from __future__ import annotations

NO_VALUE = "-"


def duration(seconds: float) -> str:
    """Return a duration in the unit that keeps it between 2 and about 120."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
