"""What the embedded broker promises about its life; what it promises about records is in tests/integration."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from stream.demo import broker as module
from stream.demo.broker import EmbeddedBroker, EmbeddedBrokerError
from stream.demo.child import GuardedProcess

PARENT = """
import asyncio, sys
from pathlib import Path
from stream.demo.broker import EmbeddedBroker
async def main():
    broker = EmbeddedBroker(Path(sys.argv[1]))
    await broker.start()
    print(broker.bootstrap_servers, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""
STUBBORN = """
import os, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(os.getpid(), flush=True)
signal.pause()
"""


def accepts(address: str) -> bool:
    host, port = address.split(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def test_the_broker_listens_only_between_start_and_stop_and_both_may_be_repeated(tmp_path: Path) -> None:
    async def check() -> None:
        broker = EmbeddedBroker(tmp_path / "new" / "folder")
        addresses = []
        for _ in range(2):
            await broker.start()
            addresses.append(broker.bootstrap_servers)
            assert accepts(broker.bootstrap_servers)
            await broker.stop()
            assert not accepts(broker.bootstrap_servers)
            await broker.stop()
        assert addresses[0] == addresses[1]

    asyncio.run(check())


def test_the_broker_dies_with_a_killed_parent_and_the_next_one_waits_for_its_folder(tmp_path: Path) -> None:
    async def take_over() -> None:
        successor = EmbeddedBroker(tmp_path)
        await successor.start()  # Starts only when the broker before has left the folder.
        await successor.stop()

    with subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        address = parent.stdout.readline().strip()
        family = psutil.Process(parent.pid).children(recursive=True)
        assert accepts(address)
        assert len(family) == 2  # the guard and the broker
        parent.send_signal(signal.SIGKILL)
    asyncio.run(take_over())
    _, alive = psutil.wait_procs(family, timeout=10)
    assert not alive
    assert not accepts(address)


@pytest.mark.parametrize("end", [GuardedProcess.stop, GuardedProcess.kill])
def test_a_child_that_ignores_sigterm_is_gone_when_the_call_returns(tmp_path: Path, end) -> None:
    log = tmp_path / "log"
    process = GuardedProcess([sys.executable, "-c", STUBBORN], log, grace_s=0.2)
    while not log.read_text().endswith("\n"):
        assert process.running
        os.sched_yield()
    child = int(log.read_text())
    end(process)
    assert not process.running
    assert not psutil.pid_exists(child)
    end(process)


def test_a_taken_port_is_one_clear_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(EmbeddedBrokerError, match=f"^port {port} cannot be used: Address already in use$"):
            asyncio.run(EmbeddedBroker(tmp_path, port).start())


def test_a_data_folder_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EmbeddedBrokerError, match=r"cannot run in .*file/data: Not a directory$"):
        asyncio.run(EmbeddedBroker(tmp_path / "file" / "data").start())


def test_a_platform_without_the_package_is_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EmbeddedBrokerError, match=f"not available for {sys.platform}: set KAFKA_BOOTSTRAP_SERVERS"):
        asyncio.run(EmbeddedBroker(tmp_path).start())


def test_a_data_folder_of_a_running_broker_is_refused_and_that_broker_runs_on(tmp_path: Path) -> None:
    async def check() -> None:
        first = EmbeddedBroker(tmp_path)
        await first.start()
        with pytest.raises(EmbeddedBrokerError, match="already running"):
            await EmbeddedBroker(tmp_path).start()
        assert accepts(first.bootstrap_servers)
        await first.stop()

    asyncio.run(check())
