"""The commands ``aguante up``, ``down`` and ``ps``: processes, signals, exit codes."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from aguante_process import run_aguante
from native_harness import processes_in, wait_until_gone

from aguante.core.own_program import aguante_command
from aguante.runtimes.processes import ProcessRef, setpriv
from aguante.runtimes.testbed_state import folders, read_state
from aguante.testbed.runtime import Testbed

LIMIT_S = 30


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return run_aguante(*arguments, limit_s=LIMIT_S)


def wait_for_testbed(parent: Path) -> Testbed:
    """Wait until an attached testbed is up."""
    deadline = time.monotonic() + LIMIT_S
    while True:
        for root in folders(parent):
            saved = read_state(root)
            if saved and saved.testbed:
                return saved.testbed
        assert time.monotonic() < deadline
        time.sleep(0.05)


def alive(testbed: Testbed) -> bool:
    """Whether any of its services runs (a zombie does not)."""
    return any(
        ProcessRef(name=each.instance, pid=each.pid, started=each.started).alive()
        for each in testbed.services
    )


def wait_until_scraped(testbed: Testbed) -> None:
    """Wait until its Prometheus has scraped every service, which takes some seconds after it is ready."""
    deadline = time.monotonic() + LIMIT_S
    url, wanted = f"{testbed.prometheus}/api/v1/query", {each.instance for each in testbed.services}
    while True:
        found = requests.get(url, params={"query": "up"}, timeout=LIMIT_S).json()["data"]["result"]
        if wanted <= {each["metric"]["instance"] for each in found}:
            return
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


@pytest.fixture
def attached(parent: Path, standin_file: Path) -> Iterator["subprocess.Popen[str]"]:
    """A runner that keeps a testbed up until it receives a signal."""
    command = aguante_command("up", "--testbed", str(standin_file))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as runner:
        yield runner
        runner.kill()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_an_attached_testbed(
    how: signal.Signals, attached: "subprocess.Popen[str]", parent: Path
) -> None:
    """After Ctrl-C it exits with 0 and leaves no process or folder; the table contained the addresses."""
    testbed = wait_for_testbed(parent)
    attached.send_signal(how)
    output, _ = attached.communicate(timeout=LIMIT_S)
    assert attached.returncode == 0
    assert testbed.gateway in output
    assert folders(parent) == ()


def test_a_signal_during_the_start_takes_everything_down(parent: Path, standin_file: Path) -> None:
    """Ctrl-C before a service is ready leaves nothing."""
    command = aguante_command("up", "--testbed", str(standin_file), "--policy", "deaf")
    with subprocess.Popen(command) as runner:
        deadline = time.monotonic() + LIMIT_S
        while not processes_in(parent):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        runner.send_signal(signal.SIGINT)
        assert runner.wait(LIMIT_S) == 0
    assert folders(parent) == ()


@pytest.mark.skipif(setpriv() is None, reason="the kernel ends orphans only through setpriv")
def test_a_killed_runner_leaves_no_process(attached: "subprocess.Popen[str]", parent: Path) -> None:
    """After SIGKILL the kernel ends the children, and the next start removes the folder."""
    testbed = wait_for_testbed(parent)
    attached.kill()
    wait_until_gone(parent)
    assert folders(parent) == (testbed.state,)
    assert run("down", "--all").returncode == 0
    assert folders(parent) == ()


def test_down_ends_an_attached_testbed_through_its_runner(
    attached: "subprocess.Popen[str]", parent: Path
) -> None:
    """The runner receives a signal and cleans up."""
    testbed = wait_for_testbed(parent)
    assert run("down", testbed.id).returncode == 0
    assert attached.wait(LIMIT_S) == 0
    assert folders(parent) == ()


def test_down_ends_exactly_the_detached_testbed_named(parent: Path, standin_file: Path) -> None:
    """Two detached testbeds survive their runners; ``down ID`` ends one, and ``ps`` still lists the other."""
    up = ("up", "--testbed", str(standin_file), "--detach", "--json")
    one, two = (Testbed.model_validate_json(run(*up).stdout) for _ in range(2))
    assert [each["id"] for each in json.loads(run("ps", "--json").stdout)] == sorted(
        [one.id, two.id]
    )
    assert run("down").returncode == 3  # which one?
    ended = run("down", one.id)
    assert (ended.returncode, ended.stdout) == (0, f"{one.id} stopped\n")
    assert not alive(one)
    assert alive(two)
    assert two.id in run("ps").stdout
    processes = len(two.services) + 3  # Toxiproxy, PostgreSQL and the relay of spans
    assert f"{processes} of {processes} alive" in run("ps").stdout
    assert run("down").returncode == 0
    assert "no testbed is running" in run("ps").stdout


@pytest.mark.usefixtures("observer_binaries")
def test_a_detached_testbed_is_not_swept_by_the_next_start(
    parent: Path, standin_file: Path
) -> None:
    """Its processes hold its lock, and its Prometheus keeps scraping them."""
    up = ("up", "--testbed", str(standin_file), "--detach", "--json")
    observed = run(*up, "--with", "prometheus")
    one, two = (Testbed.model_validate_json(each.stdout) for each in (observed, run(*up)))
    try:
        wait_until_scraped(one)
        assert alive(one)
        assert alive(two)
    finally:
        assert run("down", "--all").returncode == 0


def test_a_failed_start_exits_4_with_one_message(parent: Path, standin_file: Path) -> None:
    """There is no traceback; the message names the process and quotes its last output."""
    failed = run("up", "--testbed", str(standin_file), "--policy", "dies")
    assert failed.returncode == 4
    assert "Traceback" not in failed.stderr
    assert failed.stderr.count("error:") == 1
    assert "out of cheese" in failed.stderr


def test_replicas_are_listed_each_with_its_own_address(parent: Path, standin_file: Path) -> None:
    """``up --replicas`` prints one line per replica; links lead to none of their own addresses."""
    up = ("up", "--testbed", str(standin_file), "--replicas", "back=2", "--detach", "--json")
    testbed = Testbed.model_validate_json(run(*up).stdout)
    try:
        assert [each.instance for each in testbed.services] == ["front-1", "back-1", "back-2"]
        assert len({each.url for each in testbed.services}) == 3
        upstream = next(each.upstream for each in testbed.links if each.name == "front-back")
        assert f"http://{upstream}" not in {each.url for each in testbed.services}
    finally:
        assert run("down", "--all").returncode == 0


@pytest.mark.parametrize("given", ["back=9", "bcak=2"])
def test_impossible_replicas_are_wrong_usage(given: str, parent: Path, standin_file: Path) -> None:
    """It exits with 3 before anything starts; the message contains the value."""
    failed = run("up", "--testbed", str(standin_file), "--replicas", given)
    assert failed.returncode == 3
    assert given.partition("=")[0] in failed.stderr
    assert folders(parent) == ()


def test_an_unknown_id_is_wrong_usage(parent: Path) -> None:
    """It exits with 3, and the message lists the running testbeds."""
    failed = run("down", "017-beef")
    assert failed.returncode == 3
    assert "no testbed '017-beef'; running: none" in failed.stderr
