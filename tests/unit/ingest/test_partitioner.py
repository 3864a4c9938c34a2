"""Keys land where the producers of the common clients put them."""

import pytest

from stream.ingest import partitioner
from stream.ingest.partitioner import fnv1a, murmur2, partition_for


@pytest.mark.parametrize(
    ("key", "signed"),
    [  # the vectors of Kafka's own UtilsTest
        ("21", -973932308),
        ("foobar", -790332482),
        ("a-little-bit-long-string", -985981536),
        ("a-little-bit-longer-string", -1486304829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        ("abc", 479470107),
    ],
)
def test_murmur2_is_that_of_kafkas_java_client(key: str, signed: int) -> None:
    assert murmur2(key.encode()) == signed % 2**32
    # toPositive of the Java client clears the sign bit
    assert partition_for(key.encode(), 7, "murmur2") == (signed & 0x7FFFFFFF) % 7


@pytest.mark.parametrize(
    ("key", "expected"),
    [  # from librdkafka's own unit test; they are what is left after its absolute value
        ("kafka", 0xD33C4E1),
        ("giberish123456789", 0x77A58295),
        ("1234", 0x23BDD03),
        ("234", 0x2DEA3CD2),
        ("34", 0x740FA83E),
        ("4", 0x310CA263),
        ("", 0x7EE3623B),
    ],
)
def test_fnv1a_is_that_of_librdkafka_and_sarama(key: str, expected: int) -> None:
    assert partition_for(key.encode(), 2**31, "fnv1a") == expected


def test_fnv1a_before_its_absolute_value_is_the_published_hash() -> None:
    assert fnv1a(b"foobar") == 0xBF9CF968  # draft-eastlake-fnv, test vectors


def test_crc32_is_the_common_one() -> None:
    assert partition_for(b"123456789", 2**32, "crc32") == 0xCBF43926  # the check value of CRC-32/ISO-HDLC


def test_murmur2_agrees_with_the_kafka_clients_own_partitioner() -> None:
    from aiokafka.partitioner import murmur2 as theirs

    for n in range(2000):
        key = f"C-{n:x}".encode() * (n % 5)
        assert murmur2(key) == theirs(key) % 2**32


def test_no_place_is_computed_where_any_partition_will_do() -> None:
    with pytest.raises(ValueError, match="any"):
        partition_for(b"C-1", 4, "any")


def test_a_known_place_is_the_computed_one_however_many_keys_came_before(monkeypatch):
    monkeypatch.setattr(partitioner, "KNOWN_KEYS", 10)
    places = partitioner.Places(7, "murmur2")
    keys = [f"C-{number % 23}" for number in range(100)]
    assert [places[key] for key in keys] == [partition_for(key.encode(), 7, "murmur2") for key in keys]
    assert len(places) <= 10
