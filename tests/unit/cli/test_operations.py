"""The operator's commands refuse what they cannot do, in one line and before anything is changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream.cli.main import main

MISUSES = {
    "doctor": "no Kafka is configured",
    "rebuild --confirm": "no Kafka is configured",
    "deadletters": "the following arguments are required: ACTION",
    "deadletters list": "no Kafka is configured",
    "deadletters replay --topic complaints": "argument --topic: invalid choice: 'complaints'",
    "deadletters replay --reason boredom": "argument --reason: invalid choice: 'boredom'",
    "deadletters replay --since yesterday": "argument --since: invalid time, like 2026-03-01T09:30:00Z, value",
    "deadletters replay --rate 0": "argument --rate: invalid number above 0 value: '0'",
    "worker --log-format xml": "argument --log-format: invalid choice: 'xml'",
}


@pytest.fixture(autouse=True)
def nothing_configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
    monkeypatch.delenv("DESKPULSE_CONFIG", raising=False)


@pytest.mark.parametrize("command", MISUSES)
def test_a_misuse_is_one_clear_line_and_exit_2(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command.split()) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"deskpulse: {MISUSES[command]}")


def test_a_certificate_that_is_not_there_is_one_line_and_exit_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "deskpulse.toml").write_text(
        '[kafka]\nbootstrap_servers = "127.0.0.1:1"\n[kafka.tls]\nenabled = true\nca_file = "missing.pem"\n'
    )
    assert main(["topics", "--check"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "deskpulse: missing.pem: no usable certificate authorities: No such file or directory"
