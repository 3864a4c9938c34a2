"""What the doctor makes of what it sees; what it sees of a real Kafka is in integration/operations."""

from __future__ import annotations

from importlib import metadata

import pytest

from stream.runtime.doctor import check_group, check_packages, check_topics, check_web
from stream.runtime.group import Group, Member
from stream.runtime.settings import RuntimeSettings
from stream.runtime.topics import Survey, plan

HERE, THERE = Member("10.0.0.1", "http://one:6066"), Member("10.0.0.2", "http://two:6066")


def verdicts(group: Group) -> list[str]:
    return [finding.verdict for finding in check_group("g", group)]


def test_workers_that_can_find_each_other_are_fine() -> None:
    assert verdicts(Group("Stable", "faust", (HERE, THERE))) == ["fine"]


def test_workers_of_one_host_may_be_found_by_its_loopback() -> None:
    local = tuple(Member("10.0.0.1", f"http://127.0.0.1:{port}") for port in (6066, 6067))
    assert verdicts(Group("Stable", "faust", local)) == ["fine"]


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:6066", "http://localhost:6066", "http://[::1]:1", "http://0.0.0.0:1"]
)
def test_a_url_that_only_its_own_host_finds_is_wrong_on_several_hosts(url: str) -> None:
    assert verdicts(Group("Stable", "faust", (HERE, Member("10.0.0.2", url)))) == ["fine", "wrong"]


@pytest.mark.parametrize(
    ("host", "url", "expected"),
    [
        ("127.0.0.1", "", []),
        ("0.0.0.0", "http://one:6066", []),
        ("10.0.0.1", "", []),
        ("0.0.0.0", "", ["warning"]),
        ("::", "", ["warning"]),
        ("localhost", "http://one:6066", ["wrong"]),
    ],
)
def test_where_a_worker_listens_must_fit_where_its_peers_ask(host: str, url: str, expected: list[str]) -> None:
    assert [finding.verdict for finding in check_web(host, url)] == expected


def test_two_workers_under_one_url_are_wrong() -> None:
    assert verdicts(Group("Stable", "faust", (HERE, HERE))) == ["fine", "wrong"]


def test_strangers_in_the_group_are_wrong() -> None:
    assert verdicts(Group("Stable", "range", (HERE,))) == ["fine", "wrong"]


@pytest.mark.parametrize("group", [Group("Dead"), Group("Empty"), Group("PreparingRebalance", "", (HERE,))])
def test_a_group_that_does_not_work_is_a_warning(group: Group) -> None:
    assert verdicts(group) == ["warning"]


def test_the_packages_are_those_that_the_runtime_reaches_into(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {finding.verdict for finding in check_packages()} == {"fine"}
    monkeypatch.setattr(metadata, "version", lambda name: "0.1" if name == "aiokafka" else "0.15.3")
    found = {finding.text: finding.verdict for finding in check_packages()}
    assert found["aiokafka 0.1, deskpulse is made for 0.14.0"] == "wrong"


def test_equal_partitions_are_fine_and_unequal_ones_wrong() -> None:
    settings = RuntimeSettings("")
    counts = {topic.name: 4 for topic in plan(settings)}
    assert [finding.verdict for finding in check_topics(settings, Survey(counts, (), ()))] == ["fine"]
    counts["tickets"] = 6
    (finding,) = check_topics(settings, Survey(counts, (), ()))
    assert finding.verdict == "wrong"
    assert "tickets has 6" in finding.text
