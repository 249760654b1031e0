"""Why a run went as it did: one timeline of a request, around what was asked. From the run folder alone."""

from aguante.explain.subject import Question, UnknownSubjectError, parse_question
from aguante.explain.tell import explain

__all__ = ["Question", "UnknownSubjectError", "explain", "parse_question"]
