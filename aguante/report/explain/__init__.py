"""Why a run went as it did: one timeline of a request, around what was asked. From the run folder alone."""

from aguante.report.explain.explanation import explain
from aguante.report.explain.question import Question, UnknownSubjectError, parse_question

__all__ = ["Question", "UnknownSubjectError", "explain", "parse_question"]
