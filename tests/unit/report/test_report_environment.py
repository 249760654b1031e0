"""Where a run took place, on its page."""

import re
from pathlib import Path

import pytest
from report_factory import held_run

from aguante.collect.environment import Environment, git_describe, read_environment
from aguante.report.run_page import render_html


def page_of(environment: Environment | None) -> str:
    run = held_run()
    return render_html(run.plan, run.measures, run.verdict, environment)


@pytest.fixture
def known() -> Environment:
    return Environment(
        system="Linux 6.8 x86_64",
        python="CPython 3.11.7",
        source="v0.1-3-gabc",
        packages=(("aiohttp", "3.14.1"),),
        toxiproxy="2.12.0",
        postgresql="18.1",
        cores=2,
        memory_bytes=8 * 2**30,
        memory_available_bytes=6 * 2**30,
        load_1m=0.4,
        load_5m=0.3,
    )


def test_versions_and_machine_are_on_the_page(known: Environment) -> None:
    """What is needed to understand why another machine's numbers differ."""
    page = page_of(known)
    for words in (
        "Toxiproxy 2.12.0",
        "PostgreSQL 18.1",
        "8.0 GiB",
        "aiohttp 3.14.1",
        "v0.1-3-gabc",
    ):
        assert words in page
    assert "more than the number of cores" not in page


def test_a_busy_machine_is_said(known: Environment) -> None:
    """Latencies measured beside other work tell of that work too."""
    assert "more than the number of cores" in page_of(known.model_copy(update={"load_1m": 2.5}))


def test_a_run_without_it_says_so() -> None:
    """Folders of earlier versions have no environment.json."""
    assert "Not recorded: this run was made by an older version." in page_of(None)


def test_this_machine_can_be_read() -> None:
    """Nothing in it needs a server, and the numbers are those of a machine."""
    seen = read_environment()
    assert seen.cores >= 1
    assert 0 < seen.memory_available_bytes <= seen.memory_bytes
    assert dict(seen.packages)["aiohttp"]
    assert re.match(r"CPython 3\.\d+", seen.python)


def test_outside_a_checkout_there_is_no_source(tmp_path: Path) -> None:
    """An installed package tells no commit, also where it is installed below another project's checkout."""
    assert git_describe(tmp_path) == ""
    assert git_describe(Path(__file__).parents[1]) == ""
