"""``detection``: how soon the system itself shows the fault."""

from aguante.expectations.clauses import Detection
from aguante.measure.measures import Answer
from aguante.verdict.ruling import Ruling, soon_enough


def text(asked: Detection) -> str:
    """``detection on reservations-payments``."""
    return "detection" + (f" on {asked.link}" if asked.link else "")


def required(asked: Detection) -> str:
    """``<= 4 s``."""
    return f"<= {asked.within_s:g} s"


def judge(asked: Detection, answer: Answer) -> Ruling:
    """A fault that neither an answer nor a breaker ever showed is unmet: a silent one."""
    return soon_enough(answer, asked.within_s)
