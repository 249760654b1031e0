"""Plan, Experiment and Measures to a Verdict."""

from aguante.verdict.judge import judge

__all__ = ["judge"]
