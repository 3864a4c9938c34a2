"""Every command in the README is run, its links lead somewhere, and its example event is an event."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from stream.events.event import Event
from stream.ingest.decode import decode

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


COMMANDS = [line for block in blocks("sh") for line in block.splitlines()]
OFFLINE = [line for line in COMMANDS if re.match(r"deskpulse (report|import) ", line)]
ONLINE = [line for line in COMMANDS if line.startswith("deskpulse ") and line not in OFFLINE]
MAKE = [line for line in COMMANDS if " make " in f" {line} "]


def run(line: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "stream", *shlex.split(line)[1:]]
    return subprocess.run(
        command,
        cwd=folder,
        env=os.environ | environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_every_command_of_the_readme_is_of_a_kind_that_is_tried():
    assert len(COMMANDS) == len(OFFLINE) + len(ONLINE) + len(MAKE) > 8


def test_the_offline_commands_work_one_after_the_other(tmp_path):
    (tmp_path / "stream").symlink_to(ROOT / "stream")
    (tmp_path / "tickets.csv").write_text(blocks("csv")[0])
    for line in OFFLINE:
        done = run(line, tmp_path)
        assert done.returncode == 0, f"{line}: {done.stderr}"


@pytest.mark.parametrize("line", MAKE)
def test_the_make_targets_exist(line):
    # `make test` is what runs this, `make check` is CI's, and what `make run` starts is in integration/test_run.py.
    target = shlex.split(line)[-1]
    done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.kafka
def test_the_commands_for_real_use_work_on_a_real_kafka(tmp_path, kafka):
    app = f'[kafka]\napp_id = "docs-{os.getpid()}"\ntopic_prefix = "docs-{os.getpid()}."\n[web]\nport = 0\n'
    (tmp_path / "deskpulse.toml").write_text(app)
    servers = {"KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers}
    for line in ONLINE[:-1]:
        done = run(line, tmp_path, **servers)
        assert done.returncode == 0, f"{line}: {done.stderr}"
    assert ONLINE[-1] == "deskpulse worker"
    worker = subprocess.Popen(
        [sys.executable, "-m", "stream", "worker"],
        cwd=tmp_path,
        env=os.environ | servers | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        said = ""
        for text in worker.stdout:
            said += text
            if url := re.search(r"http://[\w.:]+", text):
                break
        page = urllib.request.urlopen(url.group().rstrip("/") + "/livez", timeout=10)
        assert page.status == 200, said
    finally:
        worker.send_signal(signal.SIGINT)
        assert worker.wait(timeout=20) == 0


def test_the_example_event_is_one():
    [example] = blocks("json")
    assert isinstance(decode(example.encode(), topic="tickets"), Event)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
