"""``recovery``: goodput is back within so many seconds after the last fault."""

from aguante.expectations.clauses import Recovery
from aguante.measure.measures import Answer
from aguante.verdict.ruling import Ruling, soon_enough


def text(_: Recovery) -> str:
    """``recovery after the last fault``."""
    return "recovery after the last fault"


def required(asked: Recovery) -> str:
    """``<= 10 s``."""
    return f"<= {asked.within_s:g} s"


def judge(asked: Recovery, answer: Answer) -> Ruling:
    """A system that did not come back is unmet, however short the run was after the fault."""
    return soon_enough(answer, asked.within_s)
