"""`aguante doctor` on machines made by hand: what is missing is said, with how to get it."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from aguante.cli import main as cli
from aguante.cli.diagnose.machine_check import Check, Machine, examine
from aguante.runtimes.servers.find_server import SearchPaths, cached_path
from aguante.runtimes.servers.server_spec import SERVERS

ROOT = Path(__file__).parents[3]
SPEC = SERVERS["toxiproxy"]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A supported machine with nothing on its PATH, and a checkout to build from."""
    (tmp_path / "tools" / "toxiproxy").mkdir(parents=True)
    (tmp_path / "tools" / "toxiproxy" / "go.mod").touch()
    environ = {"PATH": str(tmp_path / "bin")}
    return Machine(
        system="Linux",
        architecture="x86_64",
        python=(3, 12),
        environ=environ,
        places=SearchPaths(environ, tmp_path / "cache", tmp_path / "tools"),
        memory_available_bytes=8 * 2**30,
        cores=4,
        runs=tmp_path / "runs",
        testbeds=tmp_path / "testbeds",
    )


def check(machine: Machine, name: str) -> Check:
    (only,) = [each for each in examine(machine) if each.name == name]
    return only


def executable(path: Path, says: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {says}\n")
    path.chmod(0o755)
    return path


def test_a_user_id_without_an_entry_is_missing(machine: Machine) -> None:
    """PostgreSQL looks its own user up, and refuses to start."""
    assert check(machine, "user").state == "ok"
    found = check(replace(machine, known_user=False), "user")
    assert found.state == "missing"
    assert "has no entry in /etc/passwd" in found.found
    assert "useradd" in found.fix


def test_too_few_open_files_are_missing(machine: Machine) -> None:
    """A stall under load keeps hundreds of connections open."""
    assert check(machine, "open files").state == "ok"
    found = check(replace(machine, open_files_max=256), "open files")
    assert (found.state, found.found) == ("missing", "a process may open 256 files")
    assert "1024 or more" in found.fix


def test_a_server_cannot_be_built_into_a_folder_that_is_not_writable(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then another cache, or the server itself, must be given."""
    assert check(machine, "toxiproxy").state == "note"
    monkeypatch.setattr(os, "access", lambda *_: False)
    found = check(machine, "toxiproxy")
    assert found.state == "missing"
    assert "is not writable" in found.found
    assert "XDG_CACHE_HOME" in found.fix


def test_a_run_names_what_would_stop_it_before_anything_starts(
    tmp_path: Path,
) -> None:
    """Exit 4, with the fix that doctor names."""
    script = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256));"
        "from aguante.cli.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "run", "no-fault", "--runs", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 4
    assert "a process may open 256 files; nothing was started; fix: raise" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_user_without_a_home_has_a_cache_among_the_temporary_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As in a container with ``--user 12345``: neither HOME nor an entry in the user database."""

    def nowhere() -> Path:
        message = "Could not determine home directory."
        raise RuntimeError(message)

    monkeypatch.setattr(Path, "home", nowhere)
    assert str(SearchPaths.usual({}).cache).startswith(tempfile.gettempdir())


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"system": "Darwin"}, "system"),
        ({"architecture": "riscv64"}, "system"),
        ({"python": (3, 10)}, "python"),
    ],
)
def test_an_unsupported_machine_is_said_with_what_is_supported(
    machine: Machine, changes: dict[str, object], name: str
) -> None:
    """And a supported one is in order."""
    assert check(machine, name).state == "ok"
    missing = check(replace(machine, **changes), name)  # type: ignore[arg-type]
    assert missing.state == "missing"
    assert "3.11" in missing.fix or "supported" in missing.fix


def test_toxiproxy_is_looked_for_in_the_order_of_a_run(machine: Machine, tmp_path: Path) -> None:
    """Built later, then the cache, then PATH, then the configured path: each is found and named."""
    assert check(machine, "toxiproxy").state == "note"
    assert "aguante.runtimes.servers toxiproxy" in check(machine, "toxiproxy").fix
    cached = executable(cached_path(SPEC, machine.places.cache), "version 2.12.0")
    assert check(machine, "toxiproxy").found == str(cached)
    on_path = executable(tmp_path / "bin" / SPEC.binary, "toxiproxy-server version 2.12.0")
    assert check(machine, "toxiproxy").found == str(on_path)
    own = executable(tmp_path / "own", "version git")
    configured = replace(machine, environ={**machine.environ, SPEC.variable: str(own)})
    assert check(configured, "toxiproxy").found.startswith(str(own))


def test_a_toxiproxy_of_another_version_does_not_count(machine: Machine, tmp_path: Path) -> None:
    """A run would pass it over, too."""
    executable(tmp_path / "bin" / SPEC.binary, "toxiproxy-server version 2.5.0")
    assert check(machine, "toxiproxy").state == "note"


def test_toxiproxy_that_cannot_be_had_is_missing(machine: Machine, tmp_path: Path) -> None:
    """No checkout to build from; or a configured path that is no program."""
    nowhere = replace(machine, places=replace(machine.places, tools=tmp_path / "none"))
    assert check(nowhere, "toxiproxy").state == "missing"
    assert SPEC.home in check(nowhere, "toxiproxy").fix
    wrong = replace(machine, environ={**machine.environ, SPEC.variable: str(tmp_path)})
    assert check(wrong, "toxiproxy").state == "missing"


def test_a_small_machine_is_noted_and_not_refused(machine: Machine) -> None:
    """Runs may be inconclusive there; that is for the verdict to say."""
    assert check(machine, "resources").state == "ok"
    assert check(replace(machine, cores=1), "resources").state == "note"
    assert check(replace(machine, memory_available_bytes=2**29), "resources").state == "note"


def test_a_runs_folder_below_a_file_cannot_be_written(machine: Machine, tmp_path: Path) -> None:
    """The nearest folder that is there decides."""
    assert check(machine, "runs folder").state == "ok"
    (tmp_path / "file").touch()
    assert (
        check(replace(machine, runs=tmp_path / "file" / "runs"), "runs folder").state == "missing"
    )


def test_what_a_killed_run_left_is_noted(machine: Machine) -> None:
    """With the command that heals it."""
    run = machine.runs / "run-1"
    run.mkdir(parents=True)
    undo = {
        "driver": "toxiproxy",
        "fault_id": "slow",
        "api": "http://127.0.0.1:1",
        "proxy": "a-b",
        "toxic": "t",
    }
    lines = [{"kind": "opened", "run_id": "run-1"}, {"kind": "intent", "undo": undo}]
    (run / "journal.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    left = check(machine, "leftovers")
    assert (left.state, "run-1" in left.found) == ("note", True)
    assert "aguante recover" in left.fix


def test_optional_programs_are_never_missing(machine: Machine) -> None:
    """No Docker, no Chromium: native runs work all the same."""
    states = {each.name: each.state for each in examine(machine)}
    assert {states[name] for name in ("docker", "chromium", "setpriv")} == {"note"}


def test_a_docker_that_does_not_answer_is_told_with_its_mend(
    machine: Machine, tmp_path: Path
) -> None:
    """A program alone is not enough: the daemon is asked. Native runs need none of it, so it is a note."""
    program = tmp_path / "docker"
    program.write_text("#!/bin/sh\necho Cannot connect to the Docker daemon >&2; exit 1\n")
    program.chmod(0o755)
    found = check(replace(machine, environ={"PATH": str(tmp_path)}), "docker")
    assert found.state == "note"
    assert "the Docker daemon does not respond: start it" in found.fix


def test_a_docker_that_answers_is_fine(machine: Machine, tmp_path: Path) -> None:
    """With a Compose that is new enough."""
    program = tmp_path / "docker"
    program.write_text("#!/bin/sh\necho 2.40.3\n")
    program.chmod(0o755)
    found = check(replace(machine, environ={"PATH": str(tmp_path)}), "docker")
    assert (found.state, found.found) == ("ok", f"{program}, with Compose")


def test_the_exit_code_says_whether_a_run_can_be_started(
    monkeypatch: pytest.MonkeyPatch, machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    """0 or 4, also as JSON."""
    for changes, code in (({}, 0), ({"system": "Darwin"}, 4)):
        changed = replace(machine, **changes)  # type: ignore[arg-type]
        monkeypatch.setattr(Machine, "here", classmethod(lambda _, __, it=changed: it))
        with pytest.raises(SystemExit) as ended:
            cli.main(["doctor", "--json"])
        assert ended.value.code == code
        assert json.loads(capsys.readouterr().out)[0]["name"] == "system"
