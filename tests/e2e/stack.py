"""A deployment as a user would have it: a worker, Prometheus and Alertmanager with the generated files, and a pager."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

from tests.e2e.receiver import Receiver
from tests.e2e.upstream import Upstream
from tests.kafka.broker import KafkaCluster, free_ports
from tests.support.data import deskpulse

START_LIMIT_S = 60.0
PARTITIONS = 2
PROGRAMS = ("prometheus", "prometheus-alertmanager")  # Debian's packages of these names
_numbers = count(1)
WEBHOOK = "http://127.0.0.1:9095"  # of the generated Alertmanager configuration


class Stack:
    """Started by `running`; `worker` is the process to hang, kill or restart."""

    def __init__(self, cluster: KafkaCluster, folder: Path, scale: int, scrape: str, config: str) -> None:
        self.cluster = cluster
        self.folder = folder
        self.receiver = Receiver()
        name = f"e2e{os.getpid()}-{next(_numbers)}"
        self.port, self.second_port, self.prometheus_port, self.alertmanager_port = free_ports(4)
        self._config = folder / "deskpulse.toml"
        self._config.write_text(
            f'{config}\n[kafka]\nbootstrap_servers = "{cluster.bootstrap_servers}"\napp_id = "{name}"\n'
            f'topic_prefix = "{name}."\npartitions = {PARTITIONS}\n'
        )
        _done(deskpulse("topics", "--config", self._config))
        self.upstream = Upstream(cluster.bootstrap_servers, f"{name}.", PARTITIONS)
        self.worker = self._start_worker()
        self._write_alerting(scale, scrape)

    def restart_worker(
        self, how: signal.Signals = signal.SIGTERM, meanwhile: Callable[[], None] = lambda: None
    ) -> None:
        """End the worker and start another in its place; return when that one is ready."""
        self.worker.send_signal(how)
        self.worker.wait(30)
        meanwhile()
        self.worker = self._start_worker()
        self.wait_ready()

    @contextmanager
    def second_worker(self) -> Iterator[None]:
        """Another worker of the group while the block runs; it leaves by SIGTERM."""
        process = self._start_worker(self.second_port)
        try:
            self.wait_ready(self.second_port)
            yield
            process.terminate()
            process.wait(30)
        finally:
            _end(process)

    def wait_ready(self, port: int | None = None) -> None:
        """Return when the worker has all its partitions recovered."""
        until_answers(f"http://127.0.0.1:{port or self.port}/readyz", self.folder / "worker.log")

    def _start_worker(self, port: int | None = None) -> subprocess.Popen[bytes]:
        with (self.folder / "worker.log").open("ab") as log:
            at = [f"--config={self._config}", f"--port={port or self.port}"]
            command = [sys.executable, "-m", "stream", "worker", *at]
            return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

    def _write_alerting(self, scale: int, scrape: str) -> None:
        (self.folder / "pyproject.toml").touch()  # what `generate` knows a project's root by
        _done(deskpulse("generate", "--root", self.folder, "--config", self._config, "--time-scale", scale))
        routes = self.folder / "deploy/alertmanager/alertmanager.yml"
        routes.write_text(routes.read_text().replace(WEBHOOK, self.receiver.url))
        (self.folder / "prometheus.yml").write_text(f"""
global: {{scrape_interval: {scrape}, scrape_timeout: {scrape}, evaluation_interval: {scrape}}}
rule_files: [deploy/prometheus/rules/*.yml]
alerting:
  alertmanagers: [{{static_configs: [{{targets: ["127.0.0.1:{self.alertmanager_port}"]}}]}}]
scrape_configs:
  - job_name: deskpulse
    static_configs: [{{targets: ["127.0.0.1:{self.port}", "127.0.0.1:{self.second_port}"]}}]
""")

    def commands(self) -> Sequence[tuple[str, Sequence[str]]]:
        """The programs beside the worker, each with the URL that tells that it is ready."""
        prometheus, alertmanager = (f"127.0.0.1:{port}" for port in (self.prometheus_port, self.alertmanager_port))
        return (
            (
                f"http://{alertmanager}/-/ready",
                (
                    "prometheus-alertmanager", "--config.file=deploy/alertmanager/alertmanager.yml",
                    "--storage.path=alertmanager", f"--web.listen-address={alertmanager}",
                    "--cluster.listen-address=", "--log.level=warn",
                ),
            ),
            (
                f"http://{prometheus}/-/ready",
                (
                    "prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=tsdb",
                    f"--web.listen-address={prometheus}", "--log.level=warn",
                    # What fires before Prometheus has found Alertmanager is sent again only after this (default 1m).
                    "--rules.alert.resend-delay=1s",
                ),
            ),
        )  # fmt: skip


@contextmanager
def running(
    cluster: KafkaCluster, folder: Path, *, scale: int, scrape: str = "1s", config: str = ""
) -> Iterator[Stack]:
    """A deployment whose watchdog has reached the receiver: from then on a page can come.

    *scale* divides the waits of the rules, *scrape* is the interval of scrapes and evaluations, *config* is put before
    the worker's configuration. Leaving the block ends every process.
    """
    with ExitStack() as parts:
        stack = Stack(cluster, folder, scale, scrape, config)
        parts.callback(stack.receiver.stop)
        parts.callback(stack.upstream.stop)
        parts.callback(lambda: _end(stack.worker))
        stack.wait_ready()
        for ready, command in stack.commands():
            with (folder / f"{command[0]}.log").open("ab") as log:
                process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, start_new_session=True)
            parts.callback(_end, process)
            until_answers(ready, folder / f"{command[0]}.log")
        assert stack.receiver.wait(lambda: stack.receiver.notices("deadman"), START_LIMIT_S), "no watchdog came"
        yield stack


def missing_programs() -> list[str]:
    """The programs that this machine lacks."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


def until_answers(url: str, log: Path) -> None:
    """Return when the URL answers with success. Raises AssertionError, with the log's end, after START_LIMIT_S."""
    limit = time.monotonic() + START_LIMIT_S
    while not _answers(url):
        assert time.monotonic() < limit, f"{url} does not answer: {log.read_text(errors='replace')[-2_000:]}"
        time.sleep(0.05)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process, also one that is stopped."""
    process.kill()
    process.wait()


def _done(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stdout + done.stderr
