"""Reading testbed.yaml and its links file."""

import shutil
from pathlib import Path

import pytest

from aguante.testbed.testbed_file import InvalidTestbed, load_testbed

ROOT = Path(__file__).parents[3]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of our own system's files, for a test to change."""
    for name in ("proxies", "policies", "invariants", "reports", "dashboards/prometheus/rules"):
        shutil.copytree(ROOT / name, tmp_path / name)
    (tmp_path / "loadtests").mkdir()
    (tmp_path / "loadtests" / "locustfile.py").touch()
    shutil.copy(ROOT / "testbed.yaml", tmp_path)
    return tmp_path / "testbed.yaml"


def spoil(path: Path, old: str, new: str) -> int:
    """Replace a text and return its line number."""
    text = path.read_text()
    assert text.count(old) == 1, old
    path.write_text(text.replace(old, new))
    return text[: text.index(old)].count("\n") + 1


def findings(path: Path) -> list[str]:
    with pytest.raises(InvalidTestbed) as caught:
        load_testbed(path)
    return [str(each).replace(f"{path.parent}/", "") for each in caught.value.findings]


def test_our_own_system_is_valid() -> None:
    """Its paths are absolute, so that the current folder does not matter."""
    spec = load_testbed(ROOT / "testbed.yaml")
    assert len(spec.links) == 10
    assert spec.root == ROOT
    assert all(each.sql.is_absolute() for each in (*spec.invariants, *spec.reports))


def test_a_file_that_is_not_there_is_one_finding(tmp_path: Path) -> None:
    """The user sees one message, no traceback."""
    (found,) = findings(tmp_path / "testbed.yaml")
    assert found.startswith("testbed.yaml: document: found no such file")


def test_every_fault_of_the_file_is_found_at_once(copy: Path) -> None:
    """A missing key, a typo and a wrong type are all reported, each with its line."""
    entry = spoil(copy, "entry: client-gateway", "entri: client-gateway")
    events = spoil(copy, "events: 8", "events: many")
    found = findings(copy)
    assert f"testbed.yaml:{entry}: entri: found the key entri" in "\n".join(found)
    assert "did you mean entry?" in "\n".join(found)
    assert any(
        each.startswith(f"testbed.yaml:{events}: setup.events: found 'many'") for each in found
    )
    assert any("entry: found nothing" in each for each in found)


def test_a_duration_with_a_unit_is_corrected_to_the_number(copy: Path) -> None:
    """Keys carry their unit: ``2m`` where seconds belong is 120."""
    line = spoil(copy, "within_s: 30", "within_s: 2m")
    (found,) = findings(copy)
    assert found == (
        f"testbed.yaml:{line}: settle.within_s: found '2m', expected a number of seconds; "
        "fix: write 120: the unit is in the key's name"
    )


def test_paths_that_do_not_exist_are_found_at_once(copy: Path) -> None:
    """Each missing path is reported with the line of its key."""
    shutil.rmtree(copy.parent / "policies")
    shutil.rmtree(copy.parent / "dashboards")
    (copy.parent / "invariants" / "unsettled.sql").unlink()
    (copy.parent / "reports" / "reconcile.sql").unlink()
    found = findings(copy)
    assert [each.split(":")[2].strip() for each in found] == [
        "policies",
        "rules",
        "settle.query",
        "reports[0].sql",
    ]


def test_unknown_names_are_found(copy: Path) -> None:
    """The message lists the known names and suggests the nearest."""
    line = spoil(copy, "database: reservations", "database: reservation")
    (found,) = findings(copy)
    assert found.startswith(f"testbed.yaml:{line}: settle.database: found 'reservation'")
    assert "did you mean reservations?" in found


def test_an_invariant_cannot_be_named_twice(copy: Path) -> None:
    """Invariant names must be unique, because experiments refer to them."""
    spoil(copy, "name: no_saga_is_stuck,", "name: saga_log_is_whole,")
    (found,) = findings(copy)
    assert "found saga_log_is_whole again" in found


def test_errors_of_the_links_file_name_that_file(copy: Path) -> None:
    """Errors in the links file name that file and its lines."""
    links = copy.parent / "proxies" / "links.yaml"
    line = spoil(links, "kind: postgresql, port: 6103", "kind: mysql,      port: 6103")
    found = findings(copy)
    assert any(each.startswith(f"proxies/links.yaml:{line}: links[8].kind") for each in found)


def test_a_name_that_could_not_be_a_file_or_a_role_is_found(copy: Path) -> None:
    """Names must be valid as file names, variables and SQL identifiers."""
    text = copy.read_text().replace("- {name: payments}", "- {name: 'pay\"; DROP'}")
    copy.write_text(text)
    assert any("databases[2].name: found " in each for each in findings(copy))


def test_a_name_given_twice_is_found(copy: Path) -> None:
    """The second occurrence is reported."""
    text = copy.read_text().replace("- {name: payments}", "- {name: inventory}")
    copy.write_text(text)
    assert any("databases[2].name: found inventory again" in each for each in findings(copy))
