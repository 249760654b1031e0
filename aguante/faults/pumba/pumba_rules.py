"""What must hold between the options of one command of Pumba. An option's own bounds are in its row of the table."""

from collections.abc import Iterator

from aguante.core.findings import Problem
from aguante.faults.fault_variants import Rule, Written, at_most

STRESSORS = {
    "cpu_workers": "--cpu",
    "memory_workers": "--vm",
    "io_workers": "--io",
    "disk_workers": "--hdd",
}
"""Workers of stress-ng; at least one is required."""


def needs(**pairs: str) -> Rule:
    """The rule that each key is only given together with another one."""

    def rule(written: Written) -> Iterator[Problem]:
        for key, needed in pairs.items():
            if written.get(key) and not written.get(needed):
                fix = f"add {needed}:, or remove {key}"
                yield Problem((key,), f"{key} without {needed}", "both or neither", fix)

    return rule


def both(first: Rule, second: Rule) -> Rule:
    """Two rules as one."""

    def rule(written: Written) -> Iterator[Problem]:
        yield from first(written)
        yield from second(written)

    return rule


def whole_service(written: Written) -> Iterator[Problem]:
    """The rule of ``rm``."""
    if "instance" in written:
        fix = "leave it out: Compose gives a container that it makes again another number"
        yield Problem(("instance",), "the key instance", "the whole service with rm", fix)


# tc reads options by their place: it would take a correlation without a jitter for a jitter.
delay = both(
    needs(correlation_percent="jitter_ms", distribution="jitter_ms"),
    at_most("jitter_ms", "delay_ms", "give at most that: no delay is negative"),
)
rate = needs(cell_size_bytes="packet_overhead_bytes", cell_overhead_bytes="cell_size_bytes")


def loss(written: Written) -> Iterator[Problem]:
    """The rule of ``iptables loss``: one way to say how much is lost, and ports of a protocol that has them."""
    given = [key for key in ("probability", "every") if key in written]
    if len(given) != 1:
        found = " and ".join(given) or "neither"
        fix = "give the share that is lost at random, or lose one packet of so many"
        yield Problem((), found, "exactly one of probability, every", fix)
    packet, every = written.get("packet", 0), written.get("every", 0)
    if isinstance(packet, int) and isinstance(every, int) and packet and packet >= every:
        fix = "give less than that: packets are counted from 0"
        yield Problem(("packet",), str(packet), f"less than every ({every})", fix)
    for key in ("from_ports", "to_ports"):
        if written.get(key) and written.get("protocol") not in ("tcp", "udp"):
            found, expected = f"{key} of any protocol", "ports of tcp or udp"
            yield Problem((key,), found, expected, "add protocol: tcp")


def _some_workers(written: Written) -> Iterator[Problem]:
    if not any(written.get(key) for key in STRESSORS):
        expected = f"at least one of {', '.join(STRESSORS)}"
        yield Problem((), "no workers", expected, "add some")


stress = both(
    needs(memory_mb="memory_workers", cpu_load_percent="cpu_workers"),
    _some_workers,
)
