"""`make images-offline` and `make compose`, with a fake engine: what is built, what is kept, and the messages."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from aguante.clients.docker_cli import Docker, DockerError
from offline import build, debian, plugin, standins
from offline.build import ImageBuilder
from offline.engine import Engine
from offline.wanted import PYTHON, Wanted, filled_in, read_wanted

WANTED = Wanted(
    public={
        PYTHON: "python:3.11",
        **{name: f"{name}:1" for name in (*standins.STAND_INS, *standins.LEFT_OUT)},
    },
    own={"ours:1": Path("Dockerfile")},
)


class FakeEngine(Engine):
    """Records what is built; ``labels`` contains the existing images."""

    def __init__(self, labels: dict[str, str] | None = None, broken: str = "") -> None:
        super().__init__(Docker("/nowhere/docker"))
        self.labels = labels or {}
        self.broken = broken
        self.built: list[str] = []

    async def check(self) -> None: ...

    async def label(self, tag: str) -> str | None:
        return self.labels.get(tag)

    async def build(
        self, context: Path, dockerfile: Path, tag: str, *_: object, **__: object
    ) -> bool:
        if tag == self.broken:
            message = f"{tag} cannot be built"
            raise DockerError(message)
        self.built.append(tag)
        return True

    async def try_out(self, tag: str, command: Sequence[str], expected: str) -> None: ...


@pytest.fixture(autouse=True)
def nothing_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    async def base(engine: FakeEngine, tag: str, _: object) -> bool:
        engine.built.append(tag)
        return True

    stand_ins = {name: replace(each, files=dict) for name, each in standins.STAND_INS.items()}
    monkeypatch.setattr(build, "STAND_INS", stand_ins)
    monkeypatch.setattr(standins, "STAND_INS", stand_ins)
    monkeypatch.setattr(build, "make_base", base)


def made_by(engine: FakeEngine) -> list[str]:
    said: list[str] = []
    asyncio.run(ImageBuilder(engine, WANTED, said.append).build_all())
    return said


def test_the_base_comes_first_and_every_image_is_made() -> None:
    """All other images start from the base image."""
    engine = FakeEngine()
    made_by(engine)
    assert engine.built[0] == "python:3.11"
    assert set(engine.built) == {"python:3.11", "ours:1", *(f"{n}:1" for n in standins.STAND_INS)}


def test_an_image_that_is_not_ours_is_left_alone() -> None:
    """A public image that was pulled is not replaced by a stand-in."""
    engine = FakeEngine({"postgres:1": "", "toxiproxy:1": "toxiproxy", "python:3.11": ""})
    said = made_by(engine)
    assert "postgres:1" not in engine.built
    assert "python:3.11" not in engine.built
    assert "toxiproxy:1" in engine.built
    assert [line for line in said if "postgres:1" in line and "unchanged" in line]


def test_an_image_that_cannot_be_built_is_listed_with_the_alternative() -> None:
    """The output names images that are not built, and the alternative."""
    said = made_by(FakeEngine())
    assert [line for line in said if "grafana:1: NOT BUILT" in line and "GRAFANA=no" in line]


def test_an_image_that_fails_is_an_error() -> None:
    """One failed image makes the command fail."""
    with pytest.raises(ExceptionGroup) as failed:
        made_by(FakeEngine(broken="toxiproxy:1"))
    assert failed.group_contains(DockerError, match="toxiproxy:1 cannot be built")


def test_without_mmdebstrap_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message contains the command that installs mmdebstrap."""
    monkeypatch.setattr(debian.shutil, "which", lambda _: None)
    with pytest.raises(DockerError, match="apt-get install mmdebstrap"):
        asyncio.run(debian.make_base(FakeEngine(), "python:3.11", lambda _: None))


def test_the_base_is_rebuilt_when_its_recipe_or_the_certificates_change(tmp_path: Path) -> None:
    """The certificates of the machine are part of the recipe's hash."""
    bundle = tmp_path / "ca.crt"
    bundle.write_text("one")
    one = debian.fingerprint(bundle)
    bundle.write_text("two")
    assert debian.fingerprint(bundle) != one


def test_a_variable_of_the_compose_file_is_filled_in_as_compose_does_it() -> None:
    """The variable is used if it is set and not empty, otherwise the default."""
    text = "${A:-b}/c:${D:-1}"
    assert filled_in(text, {}) == "b/c:1"
    assert filled_in(text, {"A": "x", "D": ""}) == "x/c:1"


def test_the_images_of_our_own_compose_file_are_read() -> None:
    """Public images are listed by service, own images with their Dockerfile; the profile with Pumba is excluded."""
    wanted = read_wanted(environ={})
    assert wanted.public[PYTHON] == "python:3.11-slim-bookworm"
    assert set(wanted.own) == {"aguante/services:0.1.0", "aguante/runner:0.1.0"}
    assert all(path.is_file() for path in wanted.own.values())


def docker_with_compose(folder: Path, version: str) -> Docker:
    """A fake docker with this version of Compose; empty: without Compose."""
    program = folder / "docker"
    answer = f"echo {version}" if version else "exit 1"
    program.write_text(f"#!/bin/sh\n{answer}\n")
    program.chmod(0o755)
    return Docker(str(program))


@pytest.mark.parametrize("version", ["2.20.0", "v2.40.3", "5.1.0", "2.40.3-desktop.1"])
def test_a_compose_that_is_new_enough_is_used(version: str, tmp_path: Path) -> None:
    """Nothing is built or installed."""
    said: list[str] = []
    asyncio.run(
        plugin.install_compose(said.append, docker_with_compose(tmp_path, version), tmp_path)
    )
    assert said[0].endswith("is installed")
    assert not (tmp_path / ".docker").exists()


@pytest.mark.parametrize("version", ["", "2.19.1", "1.29.2"])
def test_an_old_or_missing_compose_is_replaced_for_this_user(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pinned version is installed in the user's plugin folder; if Docker does not accept it, that is an error."""
    monkeypatch.delenv("DOCKER_CONFIG", raising=False)
    monkeypatch.setattr(plugin, "find_server", lambda _: tmp_path / "built")
    docker = docker_with_compose(tmp_path, version)
    with pytest.raises(DockerError, match="does not accept"):
        asyncio.run(plugin.install_compose(lambda _: None, docker, tmp_path))
    assert (tmp_path / ".docker/cli-plugins/docker-compose").readlink() == tmp_path / "built"
