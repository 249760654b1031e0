"""What ``aguante`` alone prints: what to do next. Imports nothing heavy, to answer at once."""

from pathlib import Path

from aguante.testbed.own_files import first_experiment


def first_steps(runs: Path = Path("runs")) -> str:
    """A few lines that depend on whether there are runs."""
    first = first_experiment(None) or "FILE"
    steps = [
        ("aguante doctor", "check this machine"),
        (
            f"aguante run {first}",
            "run an experiment (about a minute); its report is written to runs/",
        ),
        ("aguante run", "choose another experiment"),
    ]
    last = max((path.parent.name for path in runs.glob("*/plan.json")), default="")
    if last:
        steps += [
            ("aguante explain", f"explain the result of the last run, {last}"),
            ("aguante list --runs", "list all runs"),
        ]
    width = max(len(command) for command, _ in steps)
    lines = [f"  {command:{width}}  {text}" for command, text in steps]
    return "\n".join(
        (
            "Aguante tests the resilience of a distributed system: it injects faults from outside,",
            "and gives a verdict with evidence.",
            "",
            "Next steps:",
            *lines,
            "",
            "All commands: aguante --help",
        )
    )
