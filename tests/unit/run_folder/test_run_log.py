"""The run log, read back from its file."""

from pathlib import Path

from aguante.run_folder.run_log import read_run_log


def test_an_unknown_count_of_an_earlier_version_is_none(tmp_path: Path) -> None:
    """Earlier versions wrote -1 for a count that could not be read."""
    path = tmp_path / "events.jsonl"
    path.write_text(
        '{"kind":"settled","settled":false,"took_s":30.0,"unsettled":-1}\n'
        '{"kind":"collector","requests":1,"bytes":1,"spans_dropped":-1}\n'
    )
    log = read_run_log(path)
    assert (log.rest, log.spans_dropped) == (None, None)
