"""Process logs are copied into the run folder."""

from pathlib import Path

from aguante.run_folder.log_files import copy_logs


def test_every_log_is_copied(tmp_path: Path) -> None:
    """One file per process, by its name."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "payments-1.log").write_text("paid\n")
    (tmp_path / "logs" / "gateway-1.log").write_text("asked\n")
    target = tmp_path / "run"
    target.mkdir()
    copies = copy_logs(tmp_path / "logs", target)
    assert [path.name for path in copies] == ["gateway-1.log", "payments-1.log"]
    assert (target / "payments-1.log").read_text() == "paid\n"


def test_of_a_log_beyond_the_limit_the_end_is_copied(tmp_path: Path) -> None:
    """The last lines explain why a process ended."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a.log").write_text("0123456789")
    target = tmp_path / "run"
    target.mkdir()
    copy_logs(tmp_path / "logs", target, max_bytes=4)
    assert (target / "a.log").read_text() == "6789"


def test_a_testbed_without_logs_gives_none(tmp_path: Path) -> None:
    """Docker stores the logs of containers elsewhere."""
    assert copy_logs(tmp_path / "logs", tmp_path) == []
