"""The console script: every misuse is one line and exit 2, whatever the command."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from stream import __version__
from stream.cli import generate
from stream.cli.main import COMMANDS, main

EVENT = (
    '{"specversion":"1.0","id":"1","source":"/s","type":"ticket.abandoned","subject":"T","time":"2026-03-01T09:30:00Z"}'
)


@pytest.fixture(autouse=True)
def nothing_configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
    monkeypatch.delenv("DESKPULSE_CONFIG", raising=False)
    (tmp_path / "broken.toml").write_text("[kafka]\npartitons = 4\n")
    (tmp_path / "events.jsonl").write_text(EVENT)
    (tmp_path / "cut.jsonl.gz").write_bytes(b"\x1f\x8b\x08\x00")


MISUSES = {
    "no command": ([], "the following arguments are required: COMMAND"),
    "an unknown command": (["fly"], "invalid choice: 'fly'"),
    "an unknown option": (["run", "--fast"], "unrecognized arguments: --fast"),
    "an abbreviated option": (["run", "--onc"], "unrecognized arguments: --onc"),
    "a missing argument": (["replay"], "the following arguments are required: FILE"),
    "a rate of nothing": (["simulate", "--rate", "0"], "argument --rate: invalid number above 0 value: '0'"),
    "a speed that is no number": (["replay", "x", "--speed", "fast"], "argument --speed: invalid speed value: 'fast'"),
    "a broken configuration": (["run", "--config", "broken.toml"], "broken.toml: kafka.partitons: unknown key"),
    "a configuration that is not there": (["config", "check", "no.toml"], "no.toml: cannot be read: No such file"),
    "a port beyond all ports": (["run", "--once", "--port", "65536"], "cannot listen on 127.0.0.1:65536"),
    "a worker without Kafka": (["worker"], "no Kafka is configured: set KAFKA_BOOTSTRAP_SERVERS"),
    "topics without Kafka": (["topics"], "no Kafka is configured"),
    "a simulation without Kafka": (["simulate"], "no Kafka is configured"),
    "a replay without Kafka": (["replay", "events.jsonl"], "no Kafka is configured"),
}


@pytest.mark.parametrize("misuse", MISUSES)
def test_a_misuse_is_one_clear_line_and_exit_2(misuse: str, capsys: pytest.CaptureFixture[str]) -> None:
    argv, complaint = MISUSES[misuse]
    assert main(argv) == 2
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert line.startswith("deskpulse: ")
    assert complaint in line


@pytest.mark.parametrize("name", ["no.jsonl", "cut.jsonl.gz", "."])
def test_a_file_that_cannot_be_replayed_is_refused_before_kafka_is_asked(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    assert main(["replay", name]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"deskpulse: {name}: cannot be read: ")


ASKING = ["topics", "topics --check", "simulate", "replay events.jsonl"]
ASKING += ["deadletters list", "deadletters replay", "rebuild --confirm"]


@pytest.mark.parametrize("command", ASKING)
def test_a_kafka_that_does_not_answer_is_one_line_and_exit_1(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    assert main(command.split()) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("deskpulse: Kafka at 127.0.0.1:1 does not answer")
    assert line.endswith("see deskpulse doctor")


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)])
def test_every_command_explains_itself(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([*command, "--help"])
    assert end.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith(f"usage: {' '.join(['deskpulse', *command])}")
    assert command or all(re.search(rf"^    {name}\s", out, re.MULTILINE) for name in COMMANDS)


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"deskpulse {__version__}\n"


def test_an_interrupted_command_ends_quietly_with_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(generate, "run", interrupted)
    assert main(["generate"]) == 130
    assert capsys.readouterr().err == ""


def test_a_reader_that_had_enough_is_no_error() -> None:
    # The pipe's reading end is closed before the command writes.
    command = [sys.executable, "-c", "import sys; from stream.cli.main import main; sys.stdin.read(); sys.exit(main())"]
    with subprocess.Popen(
        [*command, "config", "check"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stdin.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


def test_no_command_loads_faust_or_aiokafka_before_it_runs() -> None:
    script = (
        "import sys; from stream.cli.main import build_parser; build_parser(); "
        "print(*sorted({'faust', 'mode', 'aiokafka', 'aiohttp', 'prometheus_client'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
