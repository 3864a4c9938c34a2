"""The arrows of the house: who may import whom, and what must not happen at import."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STREAM = ROOT / "stream"
MODULES = sorted(STREAM.rglob("*.py"))

# Each layer may import the layers named beside it, and itself (design, "The house").
BELOW = {
    "events": set(),
    "domain": {"events"},
    "ingest": {"events", "domain"},
    "metrics": {"events", "domain", "ingest"},
    "runtime": {"events", "domain", "ingest", "metrics"},
    "board": {"events", "domain", "ingest", "metrics", "runtime"},
    "generate": {"events", "domain", "ingest", "metrics", "runtime"},
    "demo": {"events", "domain", "ingest", "metrics", "runtime"},
    "config": {"events", "domain", "ingest", "metrics", "runtime"},
    "bootstrap": {"events", "domain", "ingest", "metrics", "runtime", "board", "generate", "demo", "config"},
}
BELOW["cli"] = {*BELOW, "cli"}
BELOW["__main__"] = {"cli"}

# An outside library belongs to the adapter that hides it.
OWNERS = {
    "faust": {"runtime"},
    "aiokafka": {"runtime"},
    "mode": {"runtime"},
    "prometheus_client": {"metrics"},
    "holidays": {"config"},
}
PURE_LIBRARIES = {"msgspec"}
MAX_LINES = 330


def imports(path):
    """Yield the absolute names of what a module imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield node.module


def layer(path):
    part = path.relative_to(STREAM).parts[0]
    return part.removesuffix(".py")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_the_layers_below_its_own(path):
    allowed = BELOW.get(layer(path), set()) | {layer(path)}
    for name in imports(path):
        if name.startswith("stream."):
            assert name.split(".")[1] in allowed, f"{path.name} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_an_outside_library_is_imported_only_by_its_adapter(path):
    for name in imports(path):
        owners = OWNERS.get(name.split(".")[0])
        assert owners is None or layer(path) in owners, f"{path.name} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_is_one_idea(path):
    assert len(path.read_text().splitlines()) <= MAX_LINES


@pytest.mark.parametrize("name", ["events", "domain"])
def test_the_pure_core_knows_no_library_file_or_clock(name):
    outside = {"os", "io", "pathlib", "time", "socket", "asyncio", "threading", "logging", "random", "subprocess"}
    for path in (STREAM / name).rglob("*.py"):
        for imported in imports(path):
            first = imported.split(".")[0]
            assert first not in outside, f"{path.name} imports {imported}"
            assert first == "stream" or first in sys.stdlib_module_names or first in PURE_LIBRARIES
        text = path.read_text()
        assert not re.search(r"datetime\.(now|utcnow|today)\(|(?<!def )(?<![_.\w])open\(", text), path.name


def test_nothing_happens_at_import():
    """Import every module in a fresh interpreter: no socket, thread, process, event loop or registered metric."""
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in MODULES]
    names = [name.removesuffix(".__init__") for name in names if not name.endswith("__main__")]
    code = (
        "import sys, threading, socket, subprocess, importlib\n"
        "def refuse(*_, **__): raise SystemExit('something happens at import')\n"
        "import prometheus_client\n"
        "before = list(prometheus_client.REGISTRY._names_to_collectors)\n"
        # Not ours to judge; croniter runs `file` at import.
        "import asyncio, aiohttp.web, croniter, faust, aiokafka, rich.progress\n"
        "socket.socket.bind = socket.socket.connect = refuse\n"
        "subprocess.Popen.__init__ = refuse\n"
        "threading.Thread.start = refuse\n"
        f"for name in {names!r}: importlib.import_module(name)\n"
        "assert before == list(prometheus_client.REGISTRY._names_to_collectors), 'a metric was registered'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_the_wall_clock_is_read_in_one_file_of_the_worker():
    readers = [
        str(path.relative_to(STREAM))
        for path in MODULES
        if layer(path) in {"events", "domain", "ingest", "metrics", "runtime"}
        and ("time.time" in path.read_text() or "datetime.now" in path.read_text())
    ]
    assert readers == ["runtime/clock.py"]
