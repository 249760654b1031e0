"""Every fault of a file, with its place, what was found, what was expected, and how to fix it."""

import os
from pathlib import Path

import pytest
from broken_files import GOOD, Broken, read_cases

from aguante.core import input_files
from aguante.experiment import InvalidExperiment, load_experiment
from aguante.testbed.testbed_spec import TestbedSpec


@pytest.fixture(scope="module")
def small_shop(shop: TestbedSpec, tmp_path_factory: pytest.TempPathFactory) -> TestbedSpec:
    """The shop with short lists, so that messages do not change whenever the shop grows."""
    policies = tmp_path_factory.mktemp("policies")
    for name in ("default", "no-breaker"):
        (policies / f"{name}.yaml").touch()
    short = {
        "policies": policies,
        "links": shop.links[:5],
        "mechanisms": ("semaphore_full", "breaker_open", "timeout"),
        "client_mechanisms": ("client_timeout",),
        "invariants": shop.invariants[:2],
    }
    return shop.model_copy(update=short)


def findings_of(text: str | bytes, testbed: TestbedSpec, folder: Path) -> list[str]:
    path = folder / "broken.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InvalidExperiment) as raised:
        load_experiment(path, testbed)
    return [str(finding).removeprefix(str(path)) for finding in raised.value.findings]


@pytest.mark.parametrize("case", read_cases(), ids=lambda case: case.name)
def test_a_broken_file_gives_exactly_these_messages(
    case: Broken, small_shop: TestbedSpec, tmp_path: Path
) -> None:
    """Each fault is reported once, at its line, with what was expected and how to fix it."""
    assert case.messages, "a case without a message proves nothing"
    assert findings_of(case.text, small_shop, tmp_path) == list(case.messages)


def test_the_good_file_is_good(small_shop: TestbedSpec, tmp_path: Path) -> None:
    """The file that all cases start from is valid."""
    path = tmp_path / "good.yaml"
    path.write_text(GOOD)
    experiment = load_experiment(path, small_shop)
    assert [clause.expectation.kind for clause in experiment.expect] == [
        "rate",
        "breaker",
        "recovery",
    ]
    assert experiment.origin.places["expect", 1] == f"{path}:12"


def test_every_fault_of_a_file_is_reported_at_once(small_shop: TestbedSpec, tmp_path: Path) -> None:
    """Syntax, shape, names and times are all checked, whatever else is wrong; sorted by line."""
    text = (
        GOOD.replace("title:", "titel:")
        .replace("policy: default", "policy: defualt\npolicy: default")
        .replace("rate_rps: 60", "rate_rps: -60")
        .replace("reservations-payments, toxic", "reservation-payments, toxic")
        .replace("phase: baseline", "phase: baselin")
    )
    found = findings_of(text, small_shop, tmp_path)
    assert [line.split(":")[1:3] for line in found] == [
        ["2", " titel"],
        ["4", " policy"],
        ["5", " policy"],
        ["6", " load.rate_rps"],
        ["10", " faults[0].toxiproxy.link"],
        ["12", " expect[0].rate.phase"],
    ]


def test_a_file_that_is_not_there_is_a_finding(small_shop: TestbedSpec, tmp_path: Path) -> None:
    """An unreadable file is reported like any other fault, without a line."""
    path = tmp_path / "none.yaml"
    with pytest.raises(InvalidExperiment) as raised:
        load_experiment(path, small_shop)
    assert str(raised.value) == (
        f"{path}: document: found no such file, expected a readable file; "
        "fix: check the path and its permissions"
    )


def test_a_folder_is_not_a_file(small_shop: TestbedSpec, tmp_path: Path) -> None:
    """A folder in place of a file is a finding."""
    with pytest.raises(InvalidExperiment, match="found a directory, expected a readable file"):
        load_experiment(tmp_path, small_shop)


def test_a_file_in_another_encoding_names_the_line_of_the_first_wrong_byte(
    small_shop: TestbedSpec, tmp_path: Path
) -> None:
    """Text in Latin-1 is reported, not guessed."""
    text = GOOD.replace("Payments answers", "Pago señal").encode("latin-1")
    assert findings_of(text, small_shop, tmp_path) == [
        ":2: document: found byte 0xf1, expected UTF-8 text; fix: save the file as UTF-8"
    ]


def test_aliases_cannot_make_a_file_endless(small_shop: TestbedSpec, tmp_path: Path) -> None:
    """A small file whose aliases multiply is refused by the number of its values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 8)]
    found = findings_of("\n".join(lines), small_shop, tmp_path)
    assert any("found too many values, expected at most 10000" in line for line in found)


def test_a_list_that_holds_itself_is_refused(small_shop: TestbedSpec, tmp_path: Path) -> None:
    """Recursion ends at a stated depth."""
    found = findings_of("a: &a [*a]\n", small_shop, tmp_path)
    assert any("found endless nesting, expected at most 20 levels" in line for line in found)


def test_deep_brackets_are_refused(small_shop: TestbedSpec, tmp_path: Path) -> None:
    """Nesting beyond what the parser can hold is a finding, not a crash."""
    found = findings_of("a: " + "[" * 1000, small_shop, tmp_path)
    assert found
    assert "found endless nesting" in found[0]


def test_a_huge_file_is_refused_by_its_first_megabyte(
    small_shop: TestbedSpec, tmp_path: Path
) -> None:
    """Only a megabyte is read, even of an empty terabyte."""
    path = tmp_path / "broken.yaml"
    with path.open("wb") as file:
        file.truncate(10**12)
    with pytest.raises(InvalidExperiment) as raised:
        load_experiment(path, small_shop)
    assert str(raised.value) == (
        f"{path}: document: found a larger file, expected at most 1000000 bytes; "
        "fix: is this the right file?"
    )


def test_a_device_is_refused_unopened(small_shop: TestbedSpec) -> None:
    """It may never end."""
    with pytest.raises(
        InvalidExperiment, match="found a device, expected a regular file or a pipe"
    ):
        load_experiment(Path("/dev/null"), small_shop)


def test_a_pipe_without_a_writer_is_a_finding(
    small_shop: TestbedSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opening it does not block; the wait for a writer has a limit."""
    monkeypatch.setattr(input_files, "WRITER_WAIT_S", 0.05)
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(InvalidExperiment, match="found a pipe that nothing is written to"):
        load_experiment(path, small_shop)


def test_a_name_that_no_file_can_have_is_a_finding(small_shop: TestbedSpec) -> None:
    """A path with bytes that the system refuses is reported."""
    with pytest.raises(InvalidExperiment, match="expected a readable file"):
        load_experiment(Path("a\0b.yaml"), small_shop)
