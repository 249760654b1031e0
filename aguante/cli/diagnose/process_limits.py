"""What the operating system allows this process, as far as a run needs it."""

import os
import pwd
import resource

from aguante.cli.diagnose.check import Check
from aguante.runtimes.chosen_runtime import RuntimeName
from aguante.testbed.runtime import TestbedError
from aguante.testbed.testbed_spec import TestbedSpec

OPEN_FILES_NEEDED = 1024
"""60 requests per second against a stall of 4 s keep some 250 connections open in several processes each."""
OPEN_FILES_WANTED = 4096


def has_account() -> bool:
    """Whether the user id of this process has an entry in the user database."""
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        return False
    return True


def open_files_max() -> int:
    """How many files a process may open if it raises its own limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return OPEN_FILES_WANTED if hard == resource.RLIM_INFINITY else hard


def check_account(*, known: bool) -> Check:
    """Whether PostgreSQL can find out who it runs as."""
    uid = os.geteuid()
    if known:
        return Check(name="user", state="ok", found=f"user id {uid}")
    found = f"user id {uid} has no entry in /etc/passwd, which PostgreSQL needs"
    fix = f"add one (`useradd --uid {uid} aguante`), or run as a user that has one"
    return Check(name="user", state="missing", found=found, fix=fix)


def check_open_files(limit: int) -> Check:
    """Whether a process may open enough connections."""
    found = f"a process may open {limit} files"
    if limit >= OPEN_FILES_NEEDED:
        return Check(name="open files", state="ok", found=found)
    fix = f"raise the hard limit to {OPEN_FILES_NEEDED} or more (ulimit -Hn, /etc/security/limits.conf)"
    return Check(name="open files", state="missing", found=found, fix=fix)


def require_process_limits(runtime: RuntimeName, spec: TestbedSpec) -> None:
    """Raise the limit of open files where that is possible, and check what a run needs, before anything is started.

    Raises:
        TestbedError: a run could not succeed; gives the reason and a fix.
    """
    needs_account = runtime == "native" and bool(spec.databases) and os.geteuid() != 0
    checks = [check_open_files(_raise_open_files())]
    if needs_account:
        checks.append(check_account(known=has_account()))
    for each in checks:
        if each.state == "missing":
            message = f"{each.found}; nothing was started; fix: {each.fix}"
            raise TestbedError(message)


def _raise_open_files() -> int:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(open_files_max(), OPEN_FILES_WANTED)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return open_files_max()
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted
