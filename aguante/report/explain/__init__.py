"""Explains an expectation or a request of a run with a timeline, from the run folder alone."""

from aguante.report.explain.explanation import explain
from aguante.report.explain.question import Question, UnknownSubjectError, parse_question

__all__ = ["Question", "UnknownSubjectError", "explain", "parse_question"]
