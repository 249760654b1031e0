"""How attempts show each fault, and how many of them are enough."""

import pytest

from aguante.faults.observation import ObservationRule, is_observed
from aguante.faults.pumba.pumba_commands import COMMANDS
from aguante.faults.pumba.pumba_fault import PumbaFault
from aguante.faults.toxiproxy import TOXICS, ToxiproxyFault


def rule_of(toxic: str, *attributes: tuple[str, int]) -> ObservationRule:
    return ToxiproxyFault(link="a-b", toxic=toxic, attributes=attributes).observation()


def rule_of_pumba(command: str, **given: object) -> ObservationRule:
    options = COMMANDS[command].complete(given)
    return PumbaFault(service="s", command=command, options=options).observation()


@pytest.mark.parametrize(
    ("toxic", "error"),
    [
        ("latency", "timeout"),
        ("latency", "deadline"),
        ("down", "connect_refused"),
        ("down", "database_unavailable"),
        ("reset_peer", "connection_reset"),
        ("reset_peer", "disconnected"),
        ("timeout", "timeout"),
        ("limit_data", "disconnected"),
        ("bandwidth", "timeout"),
    ],
)
def test_each_toxic_has_errors_that_show_it(toxic: str, error: str) -> None:
    """The error types that its callers report."""
    assert error in rule_of(toxic).errors


def test_latency_shows_in_attempts_of_at_least_latency_less_jitter() -> None:
    """3500 ms with 200 ms of jitter is never faster than 3300 ms."""
    assert rule_of("latency", ("latency", 3500), ("jitter", 200)).slow_ms == 3300


def test_every_toxic_of_the_table_has_a_rule() -> None:
    """Whatever the driver can apply, a run can observe."""
    assert all(rule_of(toxic).errors for toxic in TOXICS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_pumba_has_a_rule(command: str) -> None:
    """Whatever the driver can apply, a run can observe."""
    wanted = {each.key: 1 for each in COMMANDS[command].options if each.default is None}
    assert rule_of_pumba(command, **{**wanted, "run": "true"}).errors


def test_netem_delay_shows_in_attempts_of_at_least_delay_less_jitter() -> None:
    """300 ms with 50 ms of jitter is never faster than 250 ms."""
    assert rule_of_pumba("netem delay", delay_ms=300, jitter_ms=50).slow_ms == 250


@pytest.mark.parametrize(
    ("command", "given", "share"),
    [
        ("iptables loss", {"probability": 0.5}, 0.875),
        ("iptables loss", {"every": 2}, 0.875),
        ("netem loss", {"percent": 30.0}, 0.657),
        ("netem loss", {"percent": 1.0}, 0.25),
        ("netem duplicate", {"percent": 50.0}, 0.25),
        ("stress", {"cpu_workers": 1}, 1.0),
    ],
)
def test_lost_packets_reach_as_many_calls_as_lose_one_of_three(
    command: str, given: dict[str, object], share: float
) -> None:
    """1 - (1 - p)^3, at least a quarter; what slows everything reaches all."""
    rule = rule_of_pumba(command, **given)
    assert (rule.shift, round(rule.share, 3)) == (True, share)


def shifted(share: float) -> ObservationRule:
    return ObservationRule(("x",), slow_ms=10.0, shift=True, share=share)


def test_a_shift_that_chance_explains_is_none() -> None:
    """Two of twenty are a tenth, and no proof: the Wilson interval reaches down to 2.8 %."""
    assert not is_observed((20, 2), (100, 5), shifted(0.25))
    assert is_observed((200, 20), (100, 5), shifted(0.25))


@pytest.mark.parametrize(
    ("during", "usual", "shift", "expected"),
    [
        ((44, 44), (270, 0), False, True),
        ((44, 0), (270, 0), False, False),
        ((0, 0), (270, 0), False, False),
        ((100, 1), (0, 0), False, True),
        ((100, 10), (100, 10), False, False),
        ((100, 25), (100, 5), True, True),
        ((100, 24), (100, 5), True, False),
        ((19, 19), (100, 5), True, False),
    ],
)
def test_a_fault_is_observed_when_more_attempts_show_it_than_usual(
    during: tuple[int, int], usual: tuple[int, int], shift: bool, expected: bool
) -> None:
    """One proof is enough where the baseline has none; a shift takes a quarter of twenty or more."""
    assert is_observed(during, usual, ObservationRule(("x",), shift=shift)) is expected


@pytest.mark.parametrize(
    ("during", "usual", "toxicity", "expected"),
    [
        ((44, 44), (270, 0), 1.0, True),  # every attempt is late
        ((500, 1), (240, 0), 1.0, False),  # one pause of the machine
        ((500, 1), (240, 0), 0.01, False),
        ((1000, 952), (1000, 951), 1.0, False),  # a bound that nearly all attempts exceed anyway
        ((100, 100), (100, 60), 1.0, True),
        (
            (400, 9),
            (400, 0),
            0.05,
            True,
        ),  # one connection in twenty, nearly half of what is expected
        ((400, 3), (400, 0), 0.05, False),  # as far as from -0.3 to 2.2 %: it may be nothing
        ((400, 30), (400, 0), 1.0, False),  # surely more, and not what a delay on everything does
        ((100, 30), (240, 0), 0.3, True),
        ((200, 25), (200, 0), 1.0, True),  # one of eight replicas
        ((1, 1), (20, 0), 1.0, True),  # all there was
        ((2, 1), (20, 0), 1.0, False),
        ((5, 2), (240, 0), 1.0, False),
        ((100, 100), (0, 0), 1.0, True),
        ((100, 10), (0, 0), 1.0, False),  # what is usual is not known: as for a shift
    ],
)
def test_a_delay_is_observed_when_more_attempts_are_late_than_chance_would_give(
    during: tuple[int, int], usual: tuple[int, int], toxicity: float, expected: bool
) -> None:
    """A tenth of those it reaches, three at least, and a Newcombe interval above zero."""
    rule = ObservationRule(("timeout",), slow_ms=300.0, share=toxicity)
    assert is_observed(during, usual, rule) is expected


def test_a_delay_on_some_connections_is_expected_on_so_many() -> None:
    """Toxicity is the share of the connections, and on kept ones about that of the attempts."""
    rule = ToxiproxyFault(link="a-b", toxic="latency", toxicity=0.3).observation()
    assert (rule.share, rule.late) == (0.3, True)


def test_a_shift_on_some_connections_may_be_smaller() -> None:
    """With toxicity 0.3 eleven in a hundred are enough."""
    assert is_observed((100, 11), (100, 5), shifted(0.3))
    assert not is_observed((100, 10), (100, 5), shifted(0.3))
