"""The mapping language: what a mapping file may say, and what each part does to rows."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream.ingest.mapping import MappingError, load, parse, shipped
from stream.ingest.mapping_import import Import
from stream.ingest.mapping_rows import Reject

DOCS = Path(__file__).resolve().parents[3] / "docs" / "import.md"

TICKETS = """
source = "/t"
{top}
[tables.tickets]
subject = "{{id}}"
{table}
[tables.tickets.fields]
at = {{ column = "at", type = "time" }}
{fields}
[[tables.tickets.events]]
type = "ticket.message"
time = "at"
data = {{ author = "agent", agent_id = "{{agent}}" }}
{event}
"""


def mapping(top: str = "", table: str = "", fields: str = "", event: str = "") -> str:
    return TICKETS.format(top=top, table=table, fields=fields, event=event)


class Run:
    """A mapping run over files made of texts or bytes."""

    def __init__(self, folder: Path, text: str, **files: str | bytes) -> None:
        self.rejects: list[Reject] = []
        for name, content in files.items():
            path = folder / f"{name}.csv"
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        self.job = Import(parse(text, "m.toml"), [folder], self.rejects.append)
        self.output = list(self.job.lines())
        self.events: list[dict[str, Any]] = [json.loads(line) for line in self.output]

    def reasons(self) -> list[tuple[int, str]]:
        return [(reject.line, reject.reason) for reject in self.rejects]


def field(folder: Path, spec: str, cell: str, more: str = "") -> Any:
    """Return what a field makes of a cell, as the agent's name; a rejected row gives its reason."""
    spec = f"agent = {{ {spec} }}\n{more}"
    run = Run(folder, mapping(fields=spec), tickets=f'id,at,cell\n1,2026-01-01,"{cell}"\n')
    return run.reasons()[0][1] if run.rejects else run.events[0]["data"].get("agent_id")


# --- errors in the file: one line, the place, what is allowed


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('source = "x"\n[tables.x]', "m.toml: no table has events"),
        ("source = 3", "m.toml: source: expected str, got int"),
        ("[tables.x]", "m.toml: object missing required field source"),
        ("source = ", "m.toml: not TOML"),
        ("tables = 3", "m.toml: tables: must be a table"),
        (mapping(top="sorce = 1"), "m.toml: sorce: no such key; did you mean 'source'?"),
        (mapping(top='sort = "yes"'), "m.toml: sort: expected bool, got str"),
        (
            mapping(table='delimeter = ";"'),
            "tables.tickets.delimeter: no such key; did you mean 'delimiter'?",
        ),
        (mapping(table='delimiter = ";;"'), "tables.tickets.delimiter: one character"),
        (mapping(table='order = ["at"]'), "tables.tickets.order: needs group"),
        (mapping(fields='a = { colum = "x" }'), "fields.a.colum: no such key; did you mean 'column'?"),
        (mapping(fields="a = { }"), "fields.a: give exactly one of column, template, formula"),
        (mapping(fields='a = { column = "x", type = "int" }'), "fields.a.type: invalid enum value 'int'"),
        (mapping(fields='a = { lookup = "x" }'), "tables.tickets.fields.a: a lookup needs by"),
        (mapping(fields='a = { column = "x", rows = "first" }'), "fields.a.rows: needs the table's group"),
        (mapping(fields='a = { lookup = "ticket", by = "id", take = "x" }'), "did you mean 'tickets'?"),
        (
            mapping(fields='a = { lookup = "tickets", by = "id", take = "x" }'),
            "fields.a.lookup: table 'tickets' needs a key",
        ),
        (
            mapping(table='key = "id"', fields='a = { lookup = "tickets", by = "id", take = "x" }'),
            "in a circle",
        ),
        (
            mapping(table='key = "id"', fields='a = { lookup = "tickets", by = "id", take = "x", rows = "sum" }'),
            "a.take: a sum needs a field of 'tickets' with type",
        ),
        (
            mapping(fields='a = { column = "x", type = "number", map = { a = 1 } }'),
            "a map stands instead of type",
        ),
        (mapping(fields='a = { column = "x", format = "iso" }'), "format and zone need type"),
        (
            mapping(fields='a = { column = "x", shift = "-1 days" }'),
            "tables.tickets.fields.a.shift: needs type",
        ),
        (mapping(event="when = { id = [[1]] }"), "tables.tickets.events[1].when"),
        (
            mapping(event='rows = "first"'),
            "tables.tickets.events[1]: rows and changed need the table's group",
        ),
        (mapping().replace("ticket.message", "ticket.mesage"), "did you mean 'ticket.message'?"),
        (mapping().replace("agent_id", "agent"), "events[1].data.agent: ticket.message has no such field"),
        (
            mapping().replace('author = "agent",', ""),
            "tables.tickets.events[1].data: ticket.message needs 'author'",
        ),
        (mapping().replace('subject = "{id}"', ""), "tables.tickets.events[1].subject: missing"),
    ],
)
def test_a_wrong_mapping_file_is_refused_with_the_place_and_what_is_allowed(text: str, said: str) -> None:
    with pytest.raises(MappingError) as caught:
        parse(text, "m.toml")

    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            mapping(),
            "tables.tickets.events[1].data.agent_id: no field or column 'agent'; did you mean 'agent2'?",
        ),
        (mapping(fields='agent = { column = "cel" }'), "fields.agent.column: no field or column 'cel'"),
        (mapping(fields='agent = { template = "{agent}" }'), "agent -> agent is made from itself"),
        (mapping(fields='agent = { template = "{agent2" }'), "fields.agent.template"),
        (
            mapping(fields='agent = { formula = "f(1)" }'),
            "a formula has names, numbers, + - * / and brackets only",
        ),
        (mapping(fields='agent = { formula = "1 +" }'), "'1 +' is not arithmetic"),
        (mapping(fields='agent = { column = "at", type = "time", shift = "3 d" }'), "'3 d' is not like"),
        (
            mapping(fields='agent = { column = "at", type = "time", zone = "Mars/X" }'),
            "no time zone 'Mars/X'",
        ),
        (mapping().replace('time = "at"', 'time = "id"'), "events[1].time: no field with type = "),
        (mapping(table='encoding = "utf-9"'), "no encoding 'utf-9'"),
    ],
)
def test_what_only_the_header_shows_to_be_wrong_is_refused_as_well(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(MappingError) as caught:
        Run(tmp_path, text, tickets="id,at,agent2\n1,2026-01-01,bo\n")

    assert said in str(caught.value)


def test_a_mapping_name_that_does_not_exist_gets_the_nearest_one() -> None:
    with pytest.raises(MappingError, match="did you mean 'hotel-bookings'"):
        load("hotel-booking")


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_mapping_loads(name: str) -> None:
    assert load(name).description


# --- fields


@pytest.mark.parametrize(
    ("spec", "cell", "value"),
    [
        ('column = "cell"', " bo ", "bo"),
        ('column = "cell"', "", None),
        ('column = "cell", missing = ["?"]', "?", None),
        ('column = "cell", default = "nobody-{id}"', "", "nobody-1"),
        ('column = "cell", map = { a = "x" }', "a", "x"),
        ('column = "cell", map = { a = "x" }', "b", "cell: 'b' is not in the map"),
        ('column = "cell", map = { a = "x", "*" = "y" }', "b", "y"),
        ('column = "cell", required = true', "", "agent is missing"),
        ('template = "<{cell}>"', "b", "<b>"),
        ('template = "<{cell}>"', "", None),
        ('template = "{{{row}}}"', "", "{1}"),
        ('column = "cell", type = "date", format = "%m/%d/%Y"', "2/13/2026", "2026-02-13"),
        ('column = "cell", type = "time"', "2026-01-01T02:00:00+02:00", "2026-01-01T00:00:00Z"),
        ('column = "cell", type = "time", format = "unix"', "1700000000.5", "2023-11-14T22:13:20.500000Z"),
        ('column = "cell", type = "time", format = "unix_ms"', "1700000000000", "2023-11-14T22:13:20Z"),
        (
            'column = "cell", type = "time", zone = "Europe/Lisbon"',
            "2026-07-01 12:00",
            "2026-07-01T11:00:00Z",
        ),
        # 01:30 came twice on 2026-10-25 in Lisbon: first at UTC+1.
        (
            'column = "cell", type = "time", zone = "Europe/Lisbon"',
            "2026-10-25 01:30",
            "2026-10-25T00:30:00Z",
        ),
        ('column = "cell", type = "time"', "yesterday", "cell: 'yesterday' is not a time of the form 'iso'"),
        (
            'column = "cell", type = "time"',
            "0001-01-01T00+05",
            "cell: '0001-01-01T00+05' is not a time of the form 'iso'",
        ),
        ('column = "cell", type = "time", shift = "-2 days"', "2026-03-01", "2026-02-27T00:00:00Z"),
        ('column = "cell", type = "date", shift = "+1 week"', "2026-03-01", "2026-03-08"),
        ('column = "cell", type = "time", shift = "-{id} hours"', "2026-03-01", "2026-02-28T23:00:00Z"),
        (
            'column = "cell", type = "time", shift = "+1 days"',
            "9999-12-31",
            "shifted by 1 days, 9999-12-31T00:00:00 leaves the calendar",
        ),
    ],
)
def test_a_field_makes_of_a_cell(tmp_path: Path, spec: str, cell: str, value: object) -> None:
    assert field(tmp_path, spec, cell) == value


@pytest.mark.parametrize(
    ("formula", "cell", "value"),
    [
        ("n * 3", "0.1", "=0.3"),
        ("-n + 2.5 / 5", "1", "=-0.5"),
        ("(n - 1) * 2", "1", "=0"),
        ("n / 3", "1", "=0.333333"),
        ("n / 8000000", "1", "=0"),  # 1.25e-7: beyond six places
        ("1 / n", "0", "1 / n has no value here"),
        ("n + 1", "", None),
        ("n + 1", "1e9", "cell: '1e9' is not a number"),
        ("n + 1", "NaN", "cell: 'NaN' is not a number"),
        ("n + 1", "1_0", "cell: '1_0' is not a number"),
        ("n + 1", "9" * 10_000, f"cell: '{'9' * 40}' is not a number"),
    ],
)
def test_a_formula_is_exact_arithmetic(tmp_path: Path, formula: str, cell: str, value: object) -> None:
    fields = f'n = {{ column = "cell", type = "number" }}\nresult = {{ formula = "{formula}" }}'

    assert field(tmp_path, 'template = "={result}"', cell, fields) == value


def test_an_amount_keeps_its_type_and_digits_in_data(tmp_path: Path) -> None:
    text = """
source = "/b"
[tables.b]
subject = "{id}"
[tables.b.fields]
at = { column = "at", type = "time" }
amount = { column = "amount", type = "number" }
[[tables.b.events]]
type = "booking.quoted"
time = "at"
data = { amount = "{amount}", currency = "EUR" }
"""
    run = Run(tmp_path, text, b="id,at,amount\n1,2026-01-01,12.30\n2,2026-01-01,7.00\n3,2026-01-01,\n")

    assert [line.split(b'"amount":')[1].split(b",")[0] for line in run.output] == [b"12.3", b"7"]
    assert run.reasons() == [(4, "booking.quoted: Object missing required field amount")]


# --- groups


GROUPED = 'group = "id"\norder = ["at"]'


def rows(event: str, lines: str, folder: Path, fields: str = "") -> list[str]:
    """Return the agents of the events that *event* takes of the rows."""
    run = Run(folder, mapping(table=GROUPED, fields=fields, event=event), t=f"id,at,agent,state\n{lines}")
    assert not run.rejects
    return [event["data"].get("agent_id") for event in run.events]


def test_rows_of_a_group_are_ordered_wherever_they_stand(tmp_path: Path) -> None:
    lines = "1,2026-01-03,c,x\n2,2026-01-02,b,x\n1,2026-01-01T00:00:00.5,a,x\n1,2026-01-01,z,x\n"

    assert rows('rows = "first"', lines, tmp_path) == ["z", "b"]
    assert rows('rows = "last"', lines, tmp_path) == ["b", "c"]


def test_first_and_last_count_among_the_rows_that_meet_the_conditions(tmp_path: Path) -> None:
    lines = "1,2026-01-01,a,x\n1,2026-01-02,b,y\n1,2026-01-03,c,y\n1,2026-01-04,d,\n"

    assert rows('rows = "first"\nwhen = { state = "y" }', lines, tmp_path) == ["b"]
    assert rows('rows = "last"\nunless = { state = ["x", "z"] }', lines, tmp_path) == ["d"]
    assert rows("when = { state = false }", lines, tmp_path) == ["d"]
    assert rows("unless = { state = false }", lines, tmp_path) == ["a", "b", "c"]


def test_changed_takes_rows_that_differ_from_the_last_present_value(tmp_path: Path) -> None:
    first = "1,2026-01-01,a,x\n1,2026-01-02,b,\n1,2026-01-03,c,x\n1,2026-01-04,d,y\n1,2026-01-05,e,x\n"
    lines = first + "2,2026-01-06,f,y\n"

    assert rows('changed = ["state"]', lines, tmp_path) == ["d", "e"]
    assert rows('changed = { state = "x" }', lines, tmp_path) == ["d", "e", "f"]


def test_a_value_that_first_comes_in_a_later_row_is_a_change(tmp_path: Path) -> None:
    assert rows('changed = ["state"]', "1,2026-01-01,a,\n1,2026-01-02,b,x\n", tmp_path) == ["b"]


def test_a_field_picked_from_the_group_stands_on_all_its_rows(tmp_path: Path) -> None:
    fields = 'owner = { column = "state", rows = "first", default = "none-{id}" }\nagent = { template = "by {owner}" }'
    lines = "1,2026-01-02,-,late\n1,2026-01-01,-,\n2,2026-01-03,-,\n"

    assert rows("", lines, tmp_path, fields) == ["by late", "by late", "by none-2"]


# --- lookups and files


ORDERS = """
source = "/o"
[tables.payments]
file = "pay*"
key = "order"
fields.paid = { column = "paid", type = "number" }
[tables.people]
file = "people*"
key = "no"
[tables.orders]
file = "orders*"
subject = "{order}"
partitionkey = "{customer}"
[tables.orders.fields]
at = { column = "at", type = "time" }
customer = { lookup = "people", by = "person", take = "name", default = "unknown" }
amount = { lookup = "payments", by = "order", take = "paid", rows = "ROWS", default = 0 }
[[tables.orders.events]]
type = "booking.quoted"
time = "at"
data = { amount = "{amount}", currency = "EUR" }
"""


@pytest.mark.parametrize(("which", "amounts"), [("sum", [0.3, 0]), ("first", [0.1, 0]), ("last", [0.2, 0])])
def test_a_lookup_takes_one_value_or_the_sum_of_another_file(tmp_path: Path, which: str, amounts: list[float]) -> None:
    run = Run(
        tmp_path,
        ORDERS.replace("ROWS", which),
        pay="order,paid\nA,0.1\nA,0.2\n,7\n",
        people="no,name\n5,Ann\n",
        orders="order,at,person\nA,2026-01-01,5\nB,2026-01-02,6\n",
    )

    assert [event["data"]["amount"] for event in run.events] == amounts
    assert [event["partitionkey"] for event in run.events] == ["Ann", "unknown"]


def test_a_table_without_a_file_and_a_file_without_a_table_are_refused(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("order,at,person\n")
    (tmp_path / "notes.txt").write_text("")
    parsed = parse(ORDERS.replace("ROWS", "sum"), "m.toml")

    with pytest.raises(MappingError, match="no file for table payments, which takes 'pay\\*'"):
        Import(parsed, [tmp_path], print)
    with pytest.raises(MappingError, match=r"notes\.txt: fits no table"):
        Import(parsed, [tmp_path / "notes.txt"], print)
    with pytest.raises(MappingError, match="no such file"):
        Import(parsed, [tmp_path / "absent.csv"], print)


def test_bad_rows_are_rejected_one_by_one_and_the_rest_is_taken(tmp_path: Path) -> None:
    lines = [
        b"id,at,agent",
        b"1,2026-01-01,ok",
        b"2,2026-01-02",
        b"3,2026-01-03,a,b",
        b"",
        b"4,soon,x",
        b"5,2026-01-05,caf\xe9",
        b",2026-01-06,x",
        b"7,2026-01-07," + b"x" * 201,
        b'8,2026-01-08,"two\nlines"',
        b"9,2026-01-09,last",
    ]
    run = Run(tmp_path, mapping(), tickets=b"\n".join(lines))

    assert [event["subject"] for event in run.events] == ["1", "8", "9"]
    assert run.reasons() == [
        (3, "2 cells where the header has 3"),
        (4, "4 cells where the header has 3"),
        (6, "at: 'soon' is not a time of the form 'iso'"),
        (7, "ticket.message: str is not valid UTF-8: surrogates not allowed"),
        (8, "id is missing"),
        (9, "ticket.message: Expected str of length <= 200 - at $.agent_id"),
    ]
    assert run.job.rows == 9
    assert all(json.loads(reject.encode())["row"] for reject in run.rejects)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=300))
def test_no_content_of_a_file_gets_past_the_rejects(tmp_path: Path, content: bytes) -> None:
    run = Run(tmp_path, mapping(), tickets=b"id,at,agent\n" + content)

    assert run.job.rows == run.job.rejected + len(run.events)  # each of these rows has a time, or is rejected for it


def test_an_id_used_before_rejects_the_row_with_all_its_events(tmp_path: Path) -> None:
    twice = '[[tables.tickets.events]]\ntype = "ticket.status_changed"\ntime = "at"\ndata = { status = "open" }'
    text = mapping(event=f'id = "{{id}}"\n{twice}')
    run = Run(tmp_path, text, tickets="id,at,agent\n1,2026-01-01,a\n1,2026-01-02,b\n")

    assert [event["id"] for event in run.events] == ["1", "1/ticket.status_changed/1"]
    assert run.reasons() == [(3, "ticket.message: an earlier event has the id '1'")]


def test_latin_1_other_delimiters_byte_order_marks_and_gzip_are_read(tmp_path: Path) -> None:
    latin = mapping(table='encoding = "latin-1"\ndelimiter = ";"')
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "t.csv.gz").write_bytes(gzip.compress(b"\xef\xbb\xbfid,at,agent\n1,2026-01-01,caf\xc3\xa9\n"))

    assert Run(tmp_path / "a", latin, t=b"id;at;agent\n1;2026-01-01;caf\xe9").events[0]["data"]["agent_id"] == "café"
    assert Run(tmp_path / "b", mapping()).events[0]["data"]["agent_id"] == "café"


def test_a_broken_gzip_file_is_named(tmp_path: Path) -> None:
    packed = gzip.compress(b"id,at,agent\n" + b"".join(b"%d,2026-01-01,x\n" % n for n in range(9999)))
    (tmp_path / "t.csv.gz").write_bytes(packed[: len(packed) // 2])

    with pytest.raises(MappingError, match=r"t\.csv\.gz: broken at line \d+"):
        Run(tmp_path, mapping())


# --- order and identity


def test_the_output_is_in_ledger_order_and_the_same_every_time(tmp_path: Path) -> None:
    text = mapping(
        fields='n = { column = "n", type = "number" }',
        event='sequence = "n"\n[[tables.tickets.events]]\ntype = "ticket.created"\ntime = "at"\nsequence = "n"\n'
        'data = { channel = "web", priority = "low", category = "other" }',
    )
    lines = "id,at,agent,n\n1,2026-01-01T00:00:00.25,d,\n2,2026-01-01,c,10\n3,2026-01-01,b,9\n4,2026-01-01,a,\n"
    first, again = Run(tmp_path, text, t=lines), Run(tmp_path, text, t=lines)

    order = [(event["subject"], event["type"].split(".")[1]) for event in first.events]
    assert order == [(subject, kind) for subject in "4321" for kind in ("created", "message")]
    assert first.output == again.output


def test_without_sort_the_rows_keep_the_order_of_the_file(tmp_path: Path) -> None:
    run = Run(tmp_path, mapping(top="sort = false"), t="id,at,agent\n1,2026-01-02,a\n2,2026-01-01,b\n")

    assert [event["subject"] for event in run.events] == ["1", "2"]


# --- the documentation


def test_the_worked_example_of_the_documentation_runs_as_printed(tmp_path: Path) -> None:
    blocks = dict(re.findall(r"```(csv|toml|json)\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL))
    run = Run(tmp_path, blocks["toml"], history=blocks["csv"])

    assert b"".join(run.output).decode() == blocks["json"]


def test_the_documentation_names_every_key(tmp_path: Path) -> None:
    text = DOCS.read_text(encoding="utf-8")
    from stream.ingest.mapping import EventSpec, FieldSpec, Mapping, TableSpec

    keys = {key for spec in (EventSpec, FieldSpec, Mapping, TableSpec) for key in spec.__struct_fields__}
    assert {key for key in keys - {"name"} if not re.search(rf"`{key}\b|`.*\.{key}\b", text)} == set()


def test_one_row_per_ticket_imports_with_the_generic_mapping(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text(
        "ticket_id,created_at,first_reply_at,resolved_at,closed_at,customer_id,channel,priority,category,team,agent\n"
        "T1,2026-01-01T09:00:00Z,2026-01-01T09:10:00Z,2026-01-01T10:00:00Z,2026-01-01T10:00:00Z,C1,chat,high,,desk,bo\n"
        "T2,2026-01-02T09:00:00Z,,,,,,,,,\n"
    )
    events = [json.loads(line) for line in Import(load("generic-tickets"), [path], print).lines()]

    assert [(event["subject"], event["type"], event["data"].get("status")) for event in events] == [
        ("T1", "ticket.created", None),
        ("T1", "ticket.message", None),
        ("T1", "ticket.status_changed", "resolved"),
        ("T1", "ticket.status_changed", "closed"),
        ("T2", "ticket.created", None),
    ]
    assert events[-1]["partitionkey"] == "T2"
