import math

import pytest
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

from aguante.cli.render.live.draw_picture import draw
from aguante.cli.render.live.picture import Picture, draw_up, growth, quantile, trend
from aguante.cli.render.live.read_testbed import Reading, Series, parse
from aguante.clients.toxiproxy_client import ProxyState, ToxicState
from aguante.testbed import metric_names as signals

SERVICES = {"gateway-1": "gateway", "reservations-1": "reservations"}
DURATION, LINK = signals.SERVER_DURATION, "reservations-payments"


def answers(
    status: int, mechanism: str, below: dict[str, float], instance: str = "gateway-1"
) -> dict[Series, float]:
    """The buckets of one kind of answer: upper bound -> how many were at most that long."""
    labels = {"http_response_status_code": str(status), "error_type": mechanism}
    return {
        Series(instance, f"{DURATION}_bucket", frozenset((labels | {"le": bound}).items())): count
        for bound, count in below.items()
    }


def one(
    name: str, value: float, instance: str = "reservations-1", **labels: str
) -> dict[Series, float]:
    return {Series(instance, name, frozenset(labels.items())): value}


def reading(at_s: float, *parts: dict[Series, float], **changes: object) -> Reading:
    values = {series: value for part in parts for series, value in part.items()}
    told = {"instances": SERVICES, "silent": {}, "proxies": (), **changes}
    return Reading(at_s=at_s, values=values, **told)  # type: ignore[arg-type]


def picture(before: Reading, after: Reading) -> Picture:
    return draw_up("017-3fa9", "gateway", "2026-01-02T03:04:05.000+00:00", before, after)


def text(*pictures: Picture) -> str:
    console = Console(width=110, record=True, force_terminal=False, file=None)
    with console.capture() as captured:
        console.print(draw(pictures))
    return captured.get()


def test_what_can_come_and_never_came_is_not_listed() -> None:
    """A service counts it from 0; what came once stays, and so does 200."""
    never = answers(503, "breaker_open", {"+Inf": 0}) | answers(200, "", {"+Inf": 0})
    once = answers(504, "timeout", {"+Inf": 1})
    seen = picture(reading(10, never, once), reading(12, never, once))
    assert [(each.status, each.per_s) for each in seen.answers] == [(200, 0), (504, 0)]


def test_rates_are_growth_over_the_time_between_two_readings() -> None:
    """40 answers more in 2 s are 20 a second; those of other services are not the clients'."""
    before = reading(10, answers(200, "", {"0.1": 5, "+Inf": 10}))
    after = reading(
        12,
        answers(200, "", {"0.1": 45, "+Inf": 50}),
        answers(200, "", {"+Inf": 99}, "reservations-1"),
    )
    seen = picture(before, after)
    assert [(each.status, each.per_s) for each in seen.answers] == [(200, 20.0)]
    assert (seen.goodput_per_s, seen.total_per_s) == (20.0, 20.0)


def test_the_first_answers_of_a_kind_count() -> None:
    """The first 429s make their series: it was not there before, and grew from 0."""
    before = reading(0, answers(200, "", {"+Inf": 7}))
    after = reading(1, answers(200, "", {"+Inf": 7}), answers(429, "semaphore_full", {"+Inf": 12}))
    seen = {(each.status, each.mechanism): each.per_s for each in picture(before, after).answers}
    assert seen == {(200, ""): 0.0, (429, "semaphore_full"): 12.0}


def test_a_service_that_was_started_anew_counts_from_zero() -> None:
    """Its counter fell from 90 to 3: 3 happened since, not minus 87."""
    name = signals.RETRIES
    grown = growth(reading(0, one(name, 90, link=LINK)), reading(1, one(name, 3, link=LINK)))
    assert list(grown.values()) == [3]


def test_of_an_instance_that_was_not_read_before_nothing_is_known() -> None:
    """All that it ever counted did not happen in this second."""
    before = reading(0, instances={})
    assert growth(before, reading(1, one(signals.RETRIES, 90, link=LINK))) == {}


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        (0.5, 0.1),  # the 50th of 100 is the last of the first bucket
        (0.25, 0.05),  # the 25th of 50 that lie between 0 and 0.1
        (0.7, 0.55),  # the 20th of 40 between 0.1 and 1.0
        (0.95, 1.0),  # above the last bound: all that can be said
    ],
)
def test_a_quantile_is_interpolated_as_promql_does(q: float, expected: float) -> None:
    """100 answers: 50 up to 0.1 s, 40 more up to 1 s, 10 beyond."""
    assert quantile(q, {0.1: 50, 1.0: 90, math.inf: 100}) == pytest.approx(expected)


@pytest.mark.parametrize("buckets", [{}, {0.1: 0.0, math.inf: 0.0}])
def test_without_answers_there_is_no_quantile(buckets: dict[float, float]) -> None:
    """Nothing was counted: that is not 0 s."""
    assert quantile(0.5, buckets) is None


def test_of_several_callers_the_worst_breaker_is_shown() -> None:
    """A link's breaker is each replica's own: one that is open is what one looks for."""
    attempts = one(
        f"{signals.CLIENT_DURATION}_bucket", 4, link=LINK, le="+Inf", error_type="timeout"
    )
    states = one(signals.BREAKER_STATE, 1, link=LINK, state="closed") | one(
        signals.BREAKER_STATE, 1, "reservations-2", link=LINK, state="open"
    )
    (link,) = picture(reading(0), reading(1, attempts, states)).links
    assert (link.link, link.breaker, link.attempts_per_s) == (LINK, "open", 4.0)


def test_faults_are_what_toxiproxy_has_now() -> None:
    """A toxic with its values, and a proxy that was switched off."""
    slow = ToxicState(
        name="x", type="latency", stream="downstream", toxicity=0.3, attributes={"latency": 3500}
    )
    proxies = (
        ProxyState(name=LINK, listen="", upstream="", enabled=True, toxics=(slow,)),
        ProxyState(name="inventory-db", listen="", upstream="", enabled=False),
        ProxyState(name="payments-db", listen="", upstream="", enabled=True),
    )
    assert picture(reading(0), reading(1, proxies=proxies)).faults == (
        "reservations-payments: latency latency 3500 (downstream) on 30% of connections",
        "inventory-db: down",
    )


def test_who_does_not_answer_is_named() -> None:
    """A service that was killed, and Toxiproxy, with the reason."""
    after = reading(1, silent={"payments-1": "refused"}, toxiproxy="no answer")
    seen = picture(reading(0), after)
    assert seen.silent == {"payments-1": "refused", "toxiproxy": "no answer"}
    assert "payments-1 does not respond: refused" in text(seen)


def test_a_page_shows_answers_links_and_what_is_in_flight() -> None:
    """As a person reads it: the status with its mechanism, its rate, share, latency and past."""
    quiet = reading(0, one(signals.ACTIVE_REQUESTS, 0, "gateway-1"))
    first = reading(1, answers(200, "", {"0.1": 30, "+Inf": 30}))
    second = reading(
        2,
        answers(200, "", {"0.1": 60, "+Inf": 60}),
        answers(503, "breaker_open", {"0.1": 10, "+Inf": 10}),
        one(signals.ACTIVE_REQUESTS, 12, "gateway-1"),
    )
    page = text(picture(quiet, first), picture(first, second))
    shown = [" ".join(line.split()) for line in page.splitlines()]
    assert "017-3fa9 03:04:05 40.0 responses/s, goodput 30.0/s" in shown
    assert "200 30.0 75% 50 ms 95 ms ██" in shown
    assert "503 breaker_open 10.0 25% 50 ms 95 ms █" in shown
    assert "faults now: none" in shown
    assert "in flight: gateway-1 12" in shown


def test_a_system_without_our_metrics_is_shown_as_far_as_it_goes() -> None:
    """No breaker, nothing in flight: said so, not left out."""
    attempts = one(f"{signals.CLIENT_DURATION}_bucket", 4, link="front-back", le="+Inf")
    shown = text(picture(reading(0), reading(1, attempts)))
    assert "front-back   -                4.0" in shown
    assert "in flight: unknown" in shown


def test_a_trend_is_as_high_as_its_highest_value() -> None:
    """Half of it is half as high, and the least that is not nothing can be seen."""
    assert trend([0, 4, 8, 0.01]) == " ▄█▁"
    assert trend([0, 0]) == "  "


def test_a_page_of_prometheus_client_is_understood() -> None:
    """Labels with quotes and braces in them, too."""
    page = '# TYPE a_total counter\na_total{path="/{id}",why="said \\"no\\""} 2.0\n'
    assert parse("x-1", page) == {
        Series("x-1", "a_total", frozenset({("path", "/{id}"), ("why", 'said "no"')})): 2.0
    }


def test_something_else_than_metrics_is_refused() -> None:
    """What answers there is then named as one that cannot be read."""
    with pytest.raises(ValueError, match=r"."):
        parse("x-1", "<html>\n")


def test_a_page_is_read_as_the_library_reads_it() -> None:
    """Labels with braces, blanks and escapes, times, infinities; also when it has been read before."""
    page = (
        '# HELP a_total About.\n# TYPE a_total counter\na_total{x="} 1",y="b \\"c\\" d"} 2.5\n'
        'took_bucket{le="+Inf",link=""} 1e+06 1700000000000\nup 1\nidle{} +Inf\n'
    )
    wanted = {
        Series("x-1", sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }
    assert parse("x-1", page) == parse("x-1", page) == wanted
    assert len(wanted) == 4
