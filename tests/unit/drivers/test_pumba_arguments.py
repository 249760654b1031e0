"""The command line of Pumba for a fault, and the rules that it leaves in a container."""

import pytest

from aguante.drivers.pumba.pumba_arguments import (
    arguments,
    dry_run,
    iptables_rules,
    seed_of,
    stressors,
)
from aguante.faults.planned_fault import PlannedFault
from aguante.faults.pumba.pumba_commands import COMMANDS
from aguante.faults.pumba.pumba_fault import PumbaFault, PumbaUndo

CONTAINERS = ("shop-1-payments-1", "shop-1-payments-2")
UNDO = PumbaUndo(
    fault_id="hit",
    token="run.hit",  # noqa: S106 - it is no secret
    project="shop-1",
    service="payments",
    command="kill",
    containers=CONTAINERS,
    started=("", ""),
    within_s=0,
    image="tools:1",
)
SEED = seed_of("run.hit")
GLOBAL = [
    "--json",
    "--label=com.docker.compose.project=shop-1",
    "--label=com.docker.compose.service=payments",
]


def fault(command: str, **given: object) -> PlannedFault:
    pumba = PumbaFault(
        service="payments", command=command, options=COMMANDS[command].complete(given)
    )
    return PlannedFault(id="hit", fault=pumba, start_s=8, end_s=12.5)


def told(command: str, **given: object) -> list[str]:
    """Return the arguments without those that every call has."""
    words = arguments(fault(command, **given), UNDO, CONTAINERS[1])
    assert [each for each in words if each in GLOBAL] == GLOBAL
    return [each for each in words if each not in GLOBAL and "--log-level" not in each]


NETEM = ["netem", "--duration=4500ms", "--tc-image=tools:1", "--pull-image=false"]
LOSS = ["iptables", "--duration=4500ms", "--iptables-image=tools:1", "--pull-image=false"]


@pytest.mark.parametrize(
    ("command", "given", "expected"),
    [
        ("kill", {}, ["kill", "--signal=SIGKILL"]),
        ("kill", {"signal": "SIGTERM"}, ["kill", "--signal=SIGTERM"]),
        ("stop", {"grace_s": 3}, ["stop", "--duration=4500ms", "--time=3"]),
        ("pause", {}, ["pause", "--duration=4500ms"]),
        ("rm", {}, ["rm", "--force", "--links=false", "--volumes=false"]),
        ("restart", {}, ["restart", "--timeout=5s"]),
        (
            "exec",
            {"run": "sh", "args": ["-c", "a, b"], "undo_command": ["x"]},
            ["exec", "--command=sh", "--args=-c", "--args=a, b"],
        ),
        (
            "netem delay",
            {"delay_ms": 300},
            [*NETEM, "--interface=eth0", "delay", "--time=300", "--jitter=0", "--correlation=0"],
        ),
        (
            "netem delay",
            {"delay_ms": 300, "jitter_ms": 50, "distribution": "normal", "egress_ports": [1, 2]},
            [
                *(*NETEM, "--interface=eth0", "--egress-port=1,2", "delay", "--time=300"),
                *("--jitter=50", "--correlation=0", "--distribution=normal"),
            ],
        ),
        (
            "netem rate",
            {"rate_kbit_per_s": 64, "to_ips": ["10.0.0.1", "10.1.0.0/16"]},
            [
                *(*NETEM, "--interface=eth0", "--target=10.0.0.1", "--target=10.1.0.0/16", "rate"),
                *("--rate=64kbit", "--packetoverhead=0", "--cellsize=0", "--celloverhead=0"),
            ],
        ),
        (
            "iptables loss",
            {"probability": 0.3},
            [
                *(*LOSS, "--protocol=any", "--interface=eth0"),
                *("loss", "--probability=0.3", "--mode=random"),
            ],
        ),
        (
            "iptables loss",
            {"every": 3, "packet": 1, "protocol": "tcp", "to_ports": [5003]},
            [
                *(*LOSS, "--protocol=tcp", "--interface=eth0", "--dst-port=5003"),
                *("loss", "--every=3", "--packet=1", "--mode=nth"),
            ],
        ),
        (
            "stress",
            {"cpu_workers": 2, "same_cgroup": True},
            [
                *("stress", "--duration=4500ms", "--stress-image=tools:1", "--pull-image=false"),
                *(
                    "--inject-cgroup",
                    f"--stressors=--cpu 2 --cpu-load 100 --seed {SEED} --timeout 6s",
                ),
            ],
        ),
    ],
)
def test_a_fault_becomes_one_call_for_one_container(
    command: str, given: dict[str, object], expected: list[str]
) -> None:
    """Every option is sent, since some of Pumba's defaults surprise; the exact name of the container is last."""
    assert told(command, **given) == [*expected, "shop-1-payments-2"]


@pytest.mark.parametrize("command", COMMANDS)
def test_no_call_is_without_a_target(command: str) -> None:
    """Without one, Pumba acts on all containers; a pattern could match too many."""
    wanted = {each.key: 1 for each in COMMANDS[command].options if each.default is None}
    words = told(command, **{**wanted, **({"run": "true"} if command == "exec" else {})})
    assert words[-1] == CONTAINERS[1]
    assert not any("re2:" in word for word in words)


def test_a_dry_run_shows_what_pumba_matches() -> None:
    """It names every container and does nothing."""
    assert dry_run(UNDO)[-4:] == ["--dry-run", "kill", *CONTAINERS]


def test_a_rule_is_written_as_pumba_writes_it() -> None:
    """Shares have two decimals; otherwise the rule could not be found and deleted."""
    (rule,) = iptables_rules(fault("iptables loss", probability=0.3))
    assert " ".join(rule) == ("INPUT -i eth0 -m statistic --mode random --probability 0.30 -j DROP")


def test_each_address_and_port_has_a_rule_of_its_own() -> None:
    """Networks are written with their first address, as the kernel stores them."""
    given = {"every": 2, "protocol": "tcp", "from_ips": ["10.1.2.3/16"], "to_ports": [80, 81]}
    rules = [" ".join(rule) for rule in iptables_rules(fault("iptables loss", **given))]
    end = "-m statistic --mode nth --every 2 --packet 0 -j DROP"
    assert rules == [
        f"INPUT -i eth0 -p tcp -s 10.1.0.0/16 {end}",
        f"INPUT -i eth0 -p tcp --dport 80 {end}",
        f"INPUT -i eth0 -p tcp --dport 81 {end}",
    ]


def test_other_commands_leave_no_rules() -> None:
    """They have nothing to look for."""
    assert iptables_rules(fault("netem loss", percent=5)) == ()


def test_stressors_are_the_workers_that_were_asked_for() -> None:
    """Each has its size; a seed identifies the fault, and they end by themselves."""
    given = COMMANDS["stress"].complete({"memory_workers": 1, "memory_mb": 32, "io_workers": 2})
    assert stressors(dict(given), 4.2, 9) == [
        *("--vm", "1", "--vm-bytes", "32m", "--io", "2"),
        *("--seed", "9", "--timeout", "6s"),
    ]


def test_a_seed_is_the_same_wherever_it_is_computed() -> None:
    """Recovery finds the stress of a dead run by it; another fault has another seed."""
    assert seed_of("run.hit") == seed_of("run.hit")
    assert seed_of("run.hit") != seed_of("run.other")
    assert 0 <= seed_of("run.hit") < 2**31
