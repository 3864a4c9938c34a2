"""Every command and code block of the README and of docs/ is tried, and every link leads somewhere."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest

from stream.cli.main import COMMANDS, build_parser
from stream.events.event import Event
from stream.ingest.decode import decode
from tests.kafka.broker import KafkaCluster

ROOT = Path(__file__).parents[1]
PAGES = {str(page.relative_to(ROOT)): page for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))}
TEXTS = {name: page.read_text() for name, page in PAGES.items()}
MAKEFILE = (ROOT / "Makefile").read_text()
ARRIVAL_LIMIT_S = 30.0


class Block(NamedTuple):
    """A code block of a page."""

    page: str
    language: str
    text: str


BLOCKS = [
    Block(name, *found)
    for name, text in TEXTS.items()
    for found in re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
]
# What is to be looked at, or tried elsewhere: the picture in the README; the worked example of an import, which
# unit/ingest/test_mapping.py runs, and what stands above it, which is the command's usage.
ELSEWHERE = {("README.md", "text"), *(("docs/import.md", language) for language in ("text", "csv", "toml", "json"))}


def blocks(page: str, language: str) -> list[str]:
    return [block.text for block in BLOCKS if (block.page, block.language) == (page, language)]


def commands(page: str) -> list[str]:
    return [line for block in blocks(page, "sh") for line in block.splitlines()]


README = commands("README.md")
OFFLINE = [line for line in README if re.match(r"deskpulse (report|import) ", line)]
MAKE = [line for line in README if " make " in f" {line} "]
ONLINE = [line for line in README if line not in OFFLINE and line not in MAKE]
OPERATIONS = commands("docs/operations.md")


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


def test_every_block_is_of_a_kind_that_is_tried():
    tried = {
        *(("README.md", language) for language in ("sh", "csv", "json")),
        *(("docs/operations.md", language) for language in ("sh", "toml")),
        *(("docs/publishing.md", language) for language in ("sh", "python")),
    }
    assert {(block.page, block.language) for block in BLOCKS} == tried | ELSEWHERE
    assert all(line.startswith("deskpulse ") for line in (*OFFLINE, *ONLINE, *OPERATIONS))
    indented = [name for name, text in TEXTS.items() if re.search(r"^\n {4,}\S", text, re.MULTILINE)]
    assert indented == ["docs/configuration.md"]  # whose examples unit/test_config.py reads


def test_the_offline_commands_work_one_after_the_other(tmp_path):
    (tmp_path / "stream").symlink_to(ROOT / "stream")
    (tmp_path / "tickets.csv").write_text(blocks("README.md", "csv")[0])
    for line in OFFLINE:
        done = run(line, tmp_path)
        assert done.returncode == 0, f"{line}: {done.stderr}"


@pytest.mark.parametrize("line", MAKE)
def test_the_make_targets_exist(line):
    # `make test` is what runs this, `make check` is CI's, and what `make run` starts is in integration/test_run.py.
    target = shlex.split(line)[-1]
    done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_example_of_a_secured_kafka_is_a_configuration(tmp_path):
    (tmp_path / "deskpulse.toml").write_text(*blocks("docs/operations.md", "toml"))
    done = run("deskpulse config check", tmp_path)
    assert done.returncode == 0, done.stderr


def test_the_example_event_is_one():
    [example] = blocks("README.md", "json")
    assert isinstance(decode(example.encode(), topic="tickets"), Event)


@pytest.mark.parametrize("page", PAGES)
def test_a_command_named_in_the_text_has_the_options_named_with_it(page, capsys):
    for mention in re.findall(r"`deskpulse ([^`]+)`", TEXTS[page]):
        names = re.match(r"[a-z]+( [a-z]+)*", mention)[0].split()
        with pytest.raises(SystemExit):
            build_parser(names[:1]).parse_args([*names, "--help"])
        text = capsys.readouterr().out
        for option in re.findall(r"--[a-z-]+", mention):
            assert f"{option} " in text.replace("]", " "), mention


@pytest.mark.parametrize("page", PAGES)
def test_a_make_target_named_in_the_text_exists(page):
    for target in re.findall(r"`make ([a-z0-9-]+)`", TEXTS[page]):
        assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), target


@pytest.mark.parametrize("module", re.findall(r"-m (tests\.[\w.]+)", MAKEFILE))
def test_what_takes_too_long_to_be_run_here_says_how_it_is_run(module):
    done = subprocess.run(
        [sys.executable, "-m", module, "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "usage: " in done.stdout


def test_the_readme_lists_every_command():
    table = re.findall(r"^\| (`deskpulse .*?) \|", TEXTS["README.md"], re.MULTILINE)
    assert {name for cell in table for name in re.findall(r"`deskpulse (\w+)`", cell)} == set(COMMANDS)


@dataclass
class Deployment:
    """What the README's commands made on the test's Kafka: topics with a prefix, and a worker that serves *url*."""

    servers: str
    prefix: str
    folder: Path
    url: str

    def run(self, line: str) -> subprocess.CompletedProcess[str]:
        return run(line, self.folder, KAFKA_BOOTSTRAP_SERVERS=self.servers)

    def page(self, path: str) -> str:
        return urllib.request.urlopen(self.url + path, timeout=10).read().decode()

    def until_applied(self, topic: str, event_type: str) -> str:
        """Return the metrics once an event of the type has been applied."""
        wanted = f'deskpulse_stream_events_total{{result="applied",topic="{topic}",type="{event_type}"}} 1.0'
        limit = time.monotonic() + ARRIVAL_LIMIT_S
        while wanted not in (metrics := self.page("/metrics")):
            assert time.monotonic() < limit, f"not on the page: {wanted}"
            time.sleep(0.1)  # between two looks
        return metrics


@pytest.fixture(scope="module")
def deployment(kafka: KafkaCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Follow the README's "Run it for real"."""
    folder, name = tmp_path_factory.mktemp("deployment"), f"docs-{os.getpid()}"
    (folder / "deskpulse.toml").write_text(
        f'[kafka]\napp_id = "{name}"\ntopic_prefix = "{name}."\n[web]\nport = 0\n', encoding="utf-8"
    )
    made = Deployment(kafka.bootstrap_servers, f"{name}.", folder, "")
    for line in ONLINE[:-1]:
        done = made.run(line)
        assert done.returncode == 0, f"{line}: {done.stderr}"
    assert ONLINE[-1] == "deskpulse worker"
    worker = subprocess.Popen(
        [sys.executable, "-m", "stream", "worker"],
        cwd=folder,
        env=os.environ | {"KAFKA_BOOTSTRAP_SERVERS": made.servers, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert worker.stdout is not None
        urls = (found[0] for line in worker.stdout if (found := re.search(r"http://[\w.]+:\d+", line)))
        made.url = next(urls)
        yield made
    finally:
        worker.send_signal(signal.SIGINT)
        assert worker.wait(timeout=20) == 0


@pytest.mark.kafka
def test_the_python_producer_publishes_a_ticket(deployment):
    [program] = blocks("docs/publishing.md", "python")
    assert program.count('"tickets"') == 1
    done = subprocess.run(
        [sys.executable, "-c", program.replace('"tickets"', f'"{deployment.prefix}tickets"')],
        env=os.environ | {"KAFKA_BOOTSTRAP_SERVERS": deployment.servers},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    metrics = deployment.until_applied("tickets", "ticket.created")
    assert 'deskpulse_stream_rerouted_total{topic="tickets"} 0.0' in metrics
    assert "ticket.created" in deployment.page("/api/tickets/T-1001")


@pytest.mark.kafka
def test_the_line_of_kcat_publishes_a_review(deployment):
    if shutil.which("kcat") is None:
        pytest.skip("NO KCAT: Debian's package kcat has it")
    [script] = blocks("docs/publishing.md", "sh")
    for default, ours in (("localhost:9092", deployment.servers), ("-t reviews", f"-t {deployment.prefix}reviews")):
        assert script.count(default) == 1
        script = script.replace(default, ours)
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    metrics = deployment.until_applied("reviews", "review.posted")
    assert 'deskpulse_stream_rerouted_total{topic="reviews"} 0.0' in metrics


@pytest.mark.kafka
def test_the_paths_of_the_board_answer(deployment):
    paths = re.findall(r"^\| `(/api/[^`]+)` \|", TEXTS["docs/board.md"], re.MULTILINE)
    assert len(paths) == 6
    for path in paths:
        if path.startswith("/api/stream"):
            with urllib.request.urlopen(deployment.url + "/api/stream", timeout=10) as stream:
                assert next(line for line in stream if line.startswith(b"data:"))
        elif path != "/api/tickets/ID":  # which the producer's test looks at
            json.loads(deployment.page(path.replace("?...", "?window=24h")))


@pytest.mark.kafka
def test_the_commands_of_operations_work_beside_a_running_worker(deployment):
    for line in OPERATIONS:
        done = deployment.run(line)
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)", TEXTS[page]):
        if "://" not in target:
            assert (PAGES[page].parent / target).exists(), f"{page} links to {target}"
