"""The YAML that Prometheus and Alertmanager read is what was meant."""

from __future__ import annotations

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.generate.yamltext import NOTE, document

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=20)
# A block of lines as rules have them: the first not indented, none of them blank.
LINES = st.lists(st.from_regex(r"[a-z({\"'][ -~]{0,20}[a-z)]", fullmatch=True), min_size=2, max_size=4).map("\n".join)
WORDS = st.sampled_from(
    ["yes", "no", "on", "off", "null", "~", "5m", "1e3", "0x1", "a: b", "a:", "#a", "- a", "1", "", "y"]
)
SCALARS = st.one_of(TEXTS, WORDS, st.integers(-(2**53), 2**53), st.booleans())
KEYS = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)
LISTS = st.lists(SCALARS, min_size=1, max_size=4)


def mappings(values):
    return st.dictionaries(KEYS, values, min_size=1, max_size=4)


VALUES = st.recursive(
    st.one_of(SCALARS, LINES, LISTS),
    lambda inner: st.one_of(mappings(inner), st.lists(mappings(inner), min_size=1)),
    max_leaves=6,
)


@settings(deadline=None, max_examples=50)  # the reader is slow, and so is a busy machine
@given(mappings(VALUES))
def test_a_yaml_reader_finds_what_was_written(value):
    text = document(value)
    assert text.startswith(NOTE)
    assert yaml.safe_load(text) == value
