"""The board in a real browser, over a real server and real shards."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from stream.board.view import Target
from stream.domain.kpis import KPIS, Kpi, Part
from stream.events.values import MICRO
from stream.metrics.tally import TOTAL
from tests.unit.board.serving import SOURCES, Worker, a_day, caught_up, one_of, tickets
from tests.unit.board.test_desk import FIRST, LATER, Loop
from tests.unit.metrics.events import NOW, shard_of, snapshot_of

TARGETS = {("first_response_time", "24h"): Target(max=60.0), ("mean_rating", "7d"): Target(min=3.5)}
HOUR = 3_600 * MICRO


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker(TARGETS)
    worker.latest.publish(caught_up(a_day()))
    worker.server.start()
    yield worker
    worker.server.stop()


def card(page: Page, name: str) -> Locator:
    return page.get_by_role("article", name=name, exact=True)


def figure(page: Page, name: str) -> Locator:
    return card(page, name).locator(".figure")


def test_the_first_thing_on_the_page_is_how_old_its_data_is(page: Page, worker: Worker) -> None:
    page.goto(worker.server.url)

    freshness = page.get_by_role("region", name="Data age")
    expect(freshness).to_contain_text("Live")
    expect(freshness.locator("#age")).to_have_text("< 1 s")
    expect(page.locator("main > section").first).to_have_id("freshness")
    expect(page).to_have_title("deskpulse")


def test_figures_have_units_what_they_are_taken_of_and_their_targets(page: Page, worker: Worker) -> None:
    page.goto(worker.server.url)

    expect(figure(page, "Active tickets")).to_have_text("2 ")
    expect(figure(page, "First response")).to_have_text("2.0 min")
    expect(card(page, "First response")).to_contain_text("mean of 1 first answers")
    expect(card(page, "First response")).to_contain_text("Target ≤ 60 s: missed")
    expect(card(page, "Mean rating")).to_contain_text("Target ≥ 3.50 over 7d: met")
    expect(figure(page, "Complaint rate")).to_have_text("100.0 %")
    expect(card(page, "Complaint rate")).to_contain_text("1 of 1 jobs done")
    expect(figure(page, "Net promoter score")).to_have_text("+100 ")
    expect(figure(page, "Revenue")).to_have_text("10 EUR")


def test_what_has_no_value_is_a_dash_and_says_why(page: Page, worker: Worker) -> None:
    page.goto(worker.server.url)

    expect(figure(page, "Satisfied (CSAT)")).to_have_text("\N{EN DASH} ")
    expect(card(page, "Satisfied (CSAT)")).to_contain_text("no answers in this time")


def test_new_figures_appear_without_a_reload(page: Page, worker: Worker) -> None:
    page.goto(worker.server.url)
    expect(figure(page, "Created")).to_have_text("2 ")

    worker.latest.publish(caught_up(snapshot_of(tickets("t1", "t2", "t3"))))
    expect(figure(page, "Created")).to_have_text("3 ")


def test_a_filter_is_kept_in_the_address(page: Page, worker: Worker) -> None:
    page.goto(worker.server.url)
    page.get_by_label("Filter").select_option("channel: chat")
    expect(figure(page, "Created")).to_have_text("1 ")
    expect(card(page, "Net promoter score")).to_contain_text("not known by channel")
    expect(page).to_have_url(re.compile("window=24h&channel=chat$"))

    page.reload()
    expect(page.get_by_label("Filter")).to_have_value("channel=chat")
    expect(figure(page, "Created")).to_have_text("1 ")


def test_a_filter_that_nothing_has_now_stays_chosen(page: Page, worker: Worker) -> None:
    page.goto(f"{worker.server.url}/?team=night%20%3Cb%3E")
    expect(page.get_by_label("Filter")).to_have_value("team=night <b>")
    expect(figure(page, "Created")).to_have_text("0 ")


def test_the_window_is_chosen_by_keyboard(page: Page, worker: Worker) -> None:
    page.goto(worker.server.url)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the figures")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("radio", name="24 h")).to_be_focused()
    page.keyboard.press("ArrowRight")

    expect(page.get_by_role("radio", name="7 d")).to_be_checked()
    expect(page.get_by_role("heading", name="Bookings last 7 days")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_label("Filter")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Theme: auto")).to_be_focused()


def test_late_data_says_how_late_and_is_not_of_now(page: Page, worker: Worker) -> None:
    worker.latest.publish(caught_up(a_day(), known=NOW - 2 * HOUR, lag=250))
    page.goto(worker.server.url)

    freshness = page.get_by_role("region", name="Data age")
    expect(freshness.locator("#age")).to_have_text("2.0 h")
    expect(freshness).to_contain_text("Late as of 06:53:20")
    expect(freshness).to_contain_text("1,000 messages are still to be read")
    expect(page).to_have_title("Late · deskpulse")
    expect(page.get_by_role("status").first).to_contain_text("Late.")
    expect(figure(page, "Created")).to_have_css("opacity", "0.55")


def test_while_a_shard_recovers_it_says_which(page: Page, worker: Worker) -> None:
    worker.latest.publish(one_of(3, tickets("t1"), waiting=(1, 2)))
    page.goto(worker.server.url)

    expect(page.get_by_role("region", name="Data age")).to_contain_text("Recovering")
    expect(page.locator("#reason")).to_contain_text("Partitions not in these numbers yet: 1, 2;")


def test_before_the_first_event_it_says_that_there_is_none(page: Page, worker: Worker) -> None:
    empty = snapshot_of(shard_of([]), topic_partitions=dict.fromkeys(SOURCES, 1))
    worker.latest.publish(caught_up(empty, offset=-1))
    page.goto(worker.server.url)

    expect(page.get_by_role("region", name="Data age")).to_contain_text("No data")
    expect(page.locator("#newest-tickets")).to_have_text("none yet")


def test_a_worker_that_stops_answering_is_noticed_and_found_again(tab: Page, worker: Worker) -> None:
    freshness = tab.get_by_role("region", name="Data age")
    tab.goto(worker.server.url)
    expect(freshness).to_contain_text("Live")

    worker.server.stop()
    expect(freshness).to_contain_text("No connection", timeout=20_000)
    again = Worker(port=worker.port)
    again.latest.publish(caught_up(a_day()))
    again.server.start()
    try:
        expect(freshness).to_contain_text("Live", timeout=20_000)
    finally:
        again.server.stop()


def test_without_sla_figures_one_sentence_says_so(page: Page, worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("sla_breached_open", "sla_due_soon_15m", "sla_due_soon_1h", "sla_attainment"):
        monkeypatch.delitem(KPIS, name)
    page.goto(worker.server.url)

    expect(page.locator("#no-sla")).to_contain_text("No SLA configured")
    expect(page.get_by_role("heading", name="SLA overdue")).to_be_hidden()


NPS = {"promoters": 1, "passives": 2, "detractors": 3, "value": -33.3}


@pytest.mark.parametrize(
    ("kpi", "read"),
    [
        ({"shape": "count", "figure": 0}, "0"),
        ({"shape": "count", "figure": 1_234_567}, "1,234,567"),
        ({"shape": "time", "figure": {"count": 1, "mean": 0.04}}, "0.0 s, mean of 1 x"),
        ({"shape": "time", "figure": {"count": 1, "mean": 119.9}}, "120 s, mean of 1 x"),
        ({"shape": "time", "figure": {"count": 1, "mean": 120}}, "2.0 min, mean of 1 x"),
        ({"shape": "time", "figure": {"count": 1_000, "mean": 7_200}}, "2.0 h, mean of 1,000 x"),
        ({"shape": "time", "figure": {"count": 1, "mean": 172_800}}, "2.0 d, mean of 1 x"),
        ({"shape": "time", "figure": {"count": 0, "mean": None}}, "\N{EN DASH}, no x in this time"),
        ({"shape": "ratio", "figure": {"value": 0.005, "numerator": 1, "denominator": 200}}, "0.5 %, 1 of 200 x"),
        ({"shape": "mean", "figure": {"value": 4, "numerator": 8, "denominator": 2}}, "4.00, mean of 2 x"),
        ({"shape": "score", "figure": NPS}, "-33, 6 x"),
        ({"shape": "money", "figure": {"EUR": 9.5, "USD": 2_500_000, "GBP": 0}}, "2.50 M USD, and 10 EUR"),
        ({"shape": "money", "figure": {}}, "0"),
    ],
)
def test_a_figure_reads_as_people_write_it(page: Page, worker: Worker, kpi: object, read: str) -> None:
    page.goto(worker.server.url)
    figure = page.evaluate("async (kpi) => (await import('/static/format.js')).figure(kpi, 'x')", kpi)
    number = f"{figure['number']} {figure['unit']}".strip()
    assert ", ".join(filter(None, (number, figure.get("context")))) == read


@pytest.fixture
def sla(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deadline figure in the catalogue: here every active ticket is overdue."""
    kpi = Kpi("sla_breached_open", "live", (Part("count", "ticket_active"),), ("channel",), "1", "Overdue.", "")
    monkeypatch.setitem(KPIS, "sla_breached_open", kpi)


def test_the_tickets_behind_a_deadline_figure_are_a_click_away(page: Page, sla: None, worker: Worker) -> None:
    loop = Loop(FIRST, LATER)
    worker.board.desk.open(loop, loop.loop)
    with loop.running():
        page.goto(f"{worker.server.url}/?channel=chat")
        button = page.get_by_role("button", name="Show tickets: SLA overdue")
        button.focus()
        page.keyboard.press("Enter")
        dialog = page.get_by_role("dialog", name="SLA overdue")
        expect(dialog).to_contain_text("2 tickets.")
        expect(dialog.get_by_role("row").nth(1)).to_contain_text("first_response")
        expect(dialog.get_by_role("link", name="t2")).to_have_attribute("href", "api/tickets/t2")
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        expect(button).to_be_focused()
        assert loop.asked == [{"channel": "chat", "within": "0"}]


def test_the_last_hour_is_drawn_and_said_in_words(page: Page, worker: Worker) -> None:
    history = worker.board.history
    for minute, created in enumerate((4.0, 9.0, 6.0), 1):
        figures = [created if name == "tickets_created" else 0.0 for name in history.names]
        history.add(NOW / MICRO + 60 * minute, {("24h", TOTAL): figures})
    page.goto(worker.server.url)

    # The server's own first sample has 2 tickets.
    expect(card(page, "Created")).to_contain_text("last 3 min: 2 to 9")
    canvas = card(page, "Created").locator("canvas")
    expect(canvas).to_be_visible()
    drawn = canvas.evaluate("c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(Boolean)")
    assert drawn


@pytest.mark.parametrize(("scheme", "background"), [("light", "rgb(244, 245, 248)"), ("dark", "rgb(14, 17, 22)")])
def test_it_follows_the_system_until_a_theme_is_chosen(
    page: Page, worker: Worker, scheme: str, background: str
) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type] # one of its literals
    page.goto(worker.server.url)
    expect(page.locator("body")).to_have_css("background-color", background)

    page.get_by_role("button", name="Theme: auto").click()
    page.get_by_role("button", name="Theme: light").click()
    page.reload()
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
    expect(page.locator("body")).to_have_css("background-color", "rgb(14, 17, 22)")


def test_nothing_is_wider_than_a_phone(page: Page, worker: Worker) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(worker.server.url)
    expect(figure(page, "Created")).to_have_text("2 ")

    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_every_control_has_a_name_and_every_card_a_heading(page: Page, worker: Worker) -> None:
    page.goto(worker.server.url)
    expect(figure(page, "Created")).to_have_text("2 ")
    tree = page.locator("body").aria_snapshot()

    assert not re.search(r"- (button|combobox|radio|link|article|region)(:| \[|$)", tree, re.MULTILINE)
    assert tree.count("- article ") == page.locator(".card:not([hidden]) h3").count()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(page: Page, worker: Worker, scheme: str) -> None:
    """At least 4.5:1, as WCAG 2.2 (AA, 1.4.3) asks of small text."""
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type] # one of its literals
    page.goto(worker.server.url)
    for name in ("ink", "muted", "accent", "good", "warn", "bad"):
        for ground in ("page", "surface"):
            assert page.evaluate(CONTRAST, [name, ground]) >= 4.5, (name, ground)
    assert page.evaluate(CONTRAST, ["accent", "tint"]) >= 4.5


CONTRAST = """([ink, ground]) => {
  const light = (name) => {
    const probe = document.body.appendChild(document.createElement("i"));
    probe.style.color = `var(--${name})`;
    const parts = getComputedStyle(probe).color.match(/[0-9.]+/g).slice(0, 3).map((part) => part / 255);
    probe.remove();
    const [r, g, b] = parts.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const [low, high] = [light(ink), light(ground)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}"""
