"""What a replay promises: the order of time, the lines' own bytes, and a shift that moves all times alike."""

import asyncio
import gzip
from pathlib import Path

import orjson
import pytest

from stream.demo.replay import Message, ReplayError, messages, publish, survey
from stream.demo.sample import FILES, Memory
from stream.events.event import Event
from stream.events.values import DAY_US, MICRO
from stream.ingest.decode import decode


def line(time: str, subject: str = "T-1", kind: str = "ticket.abandoned", **more: object) -> str:
    event = {"specversion": "1.0", "id": f"{subject}/{time}", "source": "/s", "type": kind, "subject": subject}
    return orjson.dumps(event | {"time": time} | more).decode()


def at(second: int) -> str:
    return f"2026-03-01T09:00:{second:02}Z"


class Collected:
    """A sink in memory; it notes how much had come at each flush."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.flushed: list[int] = []

    async def send(self, source: str, key: bytes, value: bytes, time: int) -> None:
        self.messages.append(Message(source, key, value, time))

    async def flush(self) -> None:
        self.flushed.append(len(self.messages))


def replayed(*files: Path, shift: int = 0) -> list[Message]:
    return list(messages(files, survey(files), shift))


def test_files_are_merged_by_time_and_equal_times_keep_the_order_given(tmp_path: Path) -> None:
    a, b = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    a.write_text("\n".join([line(at(1), "a1"), line(at(3), "a3"), line(at(3), "a3b")]))
    b.write_text("\n".join([line(at(2), "b2"), line(at(3), "b3")]))
    assert [message.key for message in replayed(a, b)] == [b"a1", b"b2", b"a3", b"a3b", b"b3"]
    assert [message.key for message in replayed(b, a)] == [b"a1", b"b2", b"b3", b"a3", b"a3b"]


def test_a_file_out_of_order_is_sorted_by_time_and_equal_times_stay(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text("\n".join(line(at(second), name) for second, name in [(3, "x"), (1, "y"), (3, "z"), (2, "w")]))
    assert survey([file]).unsorted == {file}
    assert [message.key for message in replayed(file)] == [b"y", b"w", b"x", b"z"]


def test_the_value_is_exactly_the_line_packed_or_not(tmp_path: Path) -> None:
    lines = [line(at(1)).replace(",", " ,  "), line(at(2)) + "\r"]
    plain, packed = tmp_path / "a.jsonl", tmp_path / "a.jsonl.gz"
    plain.write_bytes("\n".join(lines).encode())
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    for file in (plain, packed):
        assert [message.value.decode() for message in replayed(file)] == [one.rstrip("\r") for one in lines]


@pytest.mark.parametrize(
    ("kind", "topic"), [("ticket.created", "tickets"), ("booking.new_kind", "bookings"), ("survey.sent", "reviews")]
)
def test_the_topic_follows_from_the_kind_also_for_a_type_that_the_worker_will_refuse(
    tmp_path: Path, kind: str, topic: str
) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(line(at(1), kind=kind))
    assert [message.source for message in replayed(file)] == [topic]


def test_the_key_is_the_partitionkey_else_the_subject(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text("\n".join([line(at(1), "T-1", partitionkey="C-9"), line(at(2), "T-2")]))
    assert [message.key for message in replayed(file)] == [b"C-9", b"T-2"]


BAD = {
    "broken JSON": "{",
    "no object": "[]",
    "no time": '{"type":"ticket.created","subject":"T"}',
    "a naive time": line("2026-03-01T09:00:00"),
    "no subject": '{"type":"ticket.created","time":"2026-03-01T09:00:00Z"}',
    "a kind of no topic": line(at(1), kind="weather.changed"),
    "a time before 1970": line("1969-12-31T23:59:59Z"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_line_that_has_no_place_or_time_is_skipped_and_counted(tmp_path: Path, what: str) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text("\n".join([line(at(1)), BAD[what], line(at(2))]))
    found = survey([file])
    assert (found.events, found.skipped) == (2, 1)
    assert found.first_skipped.startswith(f"{file}:2: ")
    assert len(replayed(file)) == 2


def test_a_cut_gz_file_is_one_clear_line(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl.gz"
    file.write_bytes(gzip.compress(line(at(1)).encode())[:-9])
    with pytest.raises(ReplayError, match=r"a\.jsonl\.gz: cannot be read: "):
        survey([file])


def test_a_shift_moves_the_time_of_the_event_and_the_times_in_its_data_and_nothing_else(tmp_path: Path) -> None:
    data = {"channel": "web", "service": "clean", "amount": "1.10", "currency": "EUR"}
    instants = {"scheduled_for": "2026-03-02T09:00:00+01:00", "promised_by": "2026-03-02"}
    file = tmp_path / "a.jsonl"
    file.write_text(line(at(1), "B-1", "booking.created", data=data | instants))
    before, after = (
        decode(message.value, key=message.key, topic=message.source)
        for message in (*replayed(file), *replayed(file, shift=3 * DAY_US + 7))
    )
    assert isinstance(before, Event)
    assert isinstance(after, Event)
    assert after.time - before.time == 3 * DAY_US + 7
    for field in ("scheduled_for", "promised_by"):
        assert getattr(after.data, field) - getattr(before.data, field) == 3 * DAY_US + 7
    assert [getattr(after.data, field) for field in data] == [getattr(before.data, field) for field in data]
    assert (after.id, after.source, after.subject, after.key) == (before.id, before.source, before.subject, before.key)


def test_publication_passes_everything_on_and_ends_with_a_flush() -> None:
    stream = [Message("tickets", b"k", b"v", number) for number in range(1_234)]
    sink, seen = Collected(), list[int]()
    assert asyncio.run(publish(stream, sink, advance=seen.append)) == 1_234
    assert sink.messages == stream
    assert sink.flushed == [1_234]
    assert seen == [500, 1_000, 1_234]


def test_a_paced_publication_delivers_what_is_due_before_it_waits() -> None:
    # 1,000 times as fast: the third event is due 60 ms after the first two.
    stream = [Message("tickets", b"k", b"v", second * MICRO) for second in (0, 0, 60)]
    sink = Collected()
    asyncio.run(publish(stream, sink, speed=1_000.0))
    assert sink.flushed == [2, 3]


def test_the_sample_is_sorted_valid_and_ends_busy() -> None:
    found = survey(FILES)
    assert (found.skipped, found.unsorted) == (0, set())
    assert found.newest is not None
    shift = 10 * 365 * DAY_US
    events = [decode(m.value, key=m.key, topic=m.source) for m in messages(FILES, found, shift)]
    assert all(isinstance(event, Event) for event in events)
    assert len(events) == found.events
    assert max(event.time for event in events) == found.newest + shift


NEWEST, NOW = 1_000, 5_000


def test_empty_topics_get_the_sample_so_that_it_ends_now(tmp_path: Path) -> None:
    assert Memory(tmp_path / "memory.json", "here").shift(NEWEST, NOW, empty=True) == NOW - NEWEST


def test_topics_with_events_of_others_are_left_alone(tmp_path: Path) -> None:
    assert Memory(tmp_path / "memory.json", "here").shift(NEWEST, NOW, empty=False) is None


@pytest.mark.parametrize(("complete", "shift"), [(False, 42), (True, None)])
def test_an_interrupted_publication_is_repeated_with_its_own_shift_and_a_complete_one_is_not(
    tmp_path: Path, complete: bool, shift: int | None
) -> None:
    file = tmp_path / "new" / "memory.json"
    Memory(file, "here").remember(42, complete=complete)
    assert Memory(file, "here").shift(NEWEST, NOW, empty=False) == shift
    assert Memory(file, "elsewhere").shift(NEWEST, NOW, empty=False) is None
    assert Memory(file, "here").shift(NEWEST, NOW, empty=True) == NOW - NEWEST


def test_a_memory_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    (tmp_path / "memory.json").write_text("{")
    assert Memory(tmp_path / "memory.json", "here").shift(NEWEST, NOW, empty=False) is None
