"""Stands in for ``docker`` and ``pumba``: a file in place of a daemon, and the real ones' words, recorded.

``main`` is run with the arguments ``docker|pumba STATE ARGUMENT...``. Every call is written down in the
state, so that a test can say what was sent. Recorded from Pumba 1.1.7, Docker 20.10 to 28 and iptables 1.8.9.
"""

import contextlib
import fcntl
import json
import signal
import sys
import time
from pathlib import Path

SKIP = "com.gaiaadm.pumba.skip"
NO_RULE = "iptables: Bad rule (does a matching rule exist in that chain?).\n"
NO_NETEM = "Error: Specified qdisc kind is unknown.\n"
COUNTED = (
    "     131    20436 DROP       0    --  eth0   *       0.0.0.0/0            0.0.0.0/0"
    "            statistic mode {}\n"
)


@contextlib.contextmanager
def opened(path):
    """The state, ours alone while it is open, written back afterwards."""
    with path.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        state = json.load(file)
        yield state
        file.seek(0)
        file.truncate()
        json.dump(state, file)


def fail(words, code=1):
    sys.stderr.write(words)
    sys.exit(code)


def value(words, name):
    """Of ``--name=value`` or ``--name value``; every one of them."""
    found = [word.split("=", 1)[1] for word in words if word.startswith(f"{name}=")]
    return found + [words[n + 1] for n, word in enumerate(words[:-1]) if word == name]


def everything(state):
    return {**state["containers"], **state["helpers"]}


def started(container):
    container["state"], container["looks"] = "running", 1
    container["started"] = f"2026-11-24T08:00:{time.monotonic():.9f}Z"
    container["rules"], container["netem"] = [], False


# --- docker


def docker(path, words):
    with opened(path) as state:
        state["calls"].append(["docker", *words])
        answer = ANSWERS.get(" ".join(words[:2])) or ANSWERS.get(words[0])
        if answer is None:
            fail(f"the stand-in knows no {words}\n", 99)
        answer(state, words)


def pull(_, words):
    fail(
        f"Error response from daemon: pull access denied for {words[-1]}, repository does not exist\n"
    )


def look_up(state, words):
    sys.exit(0 if words[-1] in state["images"] else 1)


def listed(state, words):
    filters = value(words, "--filter")
    for each in everything(state).values():
        wanted = [f.partition("=")[2] for f in filters if f.startswith("label=")]
        ids = [f.partition("=")[2] for f in filters if f.startswith("id=")]
        labels = {f"{key}={text}" for key, text in each["labels"].items()}
        if set(wanted) <= labels and (not ids or each["id"] in ids):
            print(each["id"])


def inspect(state, words):
    words = words[2:]
    template = value(words, "--format")
    names = [word for word in words if word not in template and not word.startswith("-")]
    found = [
        (name, each) for name, each in everything(state).items() if {name, each["id"]} & set(names)
    ]
    if template and "json .Config.Labels" in template[0]:
        print(json.dumps(found[0][1]["labels"]))
    elif template:
        for _, each in found:
            print(each["id"], each["network"], each["command"])
    else:
        print(json.dumps([told(name, each) for name, each in found]))
        if len(found) < len(names):
            sys.exit(1)


def told(name, each):
    """Healthy only at the second look after a start, as with a real health check."""
    health = "starting" if each["looks"] else each["health"]
    each["looks"] = max(0, each["looks"] - 1) if each["state"] == "running" else 0
    return {
        "Id": each["id"],
        "Name": f"/{name}",
        "Config": {"Labels": each["labels"], "Image": "target:1", "Env": ["A=b"]},
        "State": {
            "Status": each["state"],
            "Health": {"Status": health},
            "ExitCode": 137,
            "OOMKilled": False,
            "StartedAt": each["started"],
            "Pid": 4711 if each["state"] == "running" else 0,
        },
        "NetworkSettings": {"Ports": {}},
    }


def act(state, words):
    action = words[0]
    for name in [word for word in words[1:] if not word.startswith("-")]:
        key = next((k for k, e in everything(state).items() if name in (k, e["id"])), None)
        if key is None:
            fail(f"Error: No such container: {name}\n")
        elif action == "rm":
            state["containers"].pop(key, None)
            state["helpers"].pop(key, None)
        elif action == "unpause":
            state["containers"][key]["state"] = "running"
        else:
            started(state["containers"][key])


def run(state, words):
    at = words.index("--entrypoint")
    network, program, arguments = value(words, "--network")[0], words[at + 1], words[at + 3 :]
    if words[at + 2] not in state["images"]:
        fail(f"docker: No such image: {words[at + 2]}.\n", 125)
    name = network.partition(":")[2]
    target = state["containers"].get(name, {"rules": [], "netem": False})
    if program == "tc":
        tc(state, target, arguments)
    elif program == "iptables":
        iptables(target, arguments[2:] if arguments[0] == "--wait" else arguments)
    elif program == "/cg-inject":
        fail('exec: "/cg-inject": stat /cg-inject: no such file or directory: unknown.\n', 127)


def tc(state, target, words):
    if words[:2] == ["qdisc", "add"] and not state["netem"]:
        fail(NO_NETEM, 2)
    if words[:2] == ["qdisc", "del"]:
        target["netem"] = False
    if words[:2] == ["qdisc", "show"]:
        kind = "netem 8001: root refcnt 2 limit 1000" if target["netem"] else "noqueue 0: root"
        print(f"qdisc {kind} ")


def iptables(target, words):
    if words[0] == "-vnxL":
        sys.stdout.write("Chain INPUT (policy ACCEPT 0 packets, 0 bytes)\n")
        for rule in target["rules"]:
            sys.stdout.write(COUNTED.format(rule.partition("--mode ")[2]))
        return
    rule = " ".join(words[1:])
    if words[0] in ("-C", "-D") and rule not in target["rules"]:
        fail(NO_RULE)
    if words[0] == "-D":
        target["rules"].remove(rule)


def compose(state, words):
    project = value(words, "--project-name")[0]
    if "config" in words:
        print(f"{words[-1]} {state['hash']}")
        return
    service, _, count = value(words, "--scale")[0].partition("=")
    for number in range(1, int(count) + 1):
        name = f"{project}-{service}-{number}"
        if name not in state["containers"]:
            like = next(iter(state["containers"].values()))
            labels = {**like["labels"], "com.docker.compose.service": service}
            labels["com.docker.compose.container-number"] = str(number)
            labels["com.docker.compose.oneoff"] = "False"
            state["containers"][name] = {**like, "id": f"anew-{number}", "labels": labels}
            started(state["containers"][name])


ANSWERS = {
    "context inspect": lambda *_: print("unix:///standin.sock"),
    "image inspect": look_up,
    "container inspect": inspect,
    "pull": pull,
    "ps": listed,
    "run": run,
    "compose": compose,
    "exec": lambda *_: None,
    **dict.fromkeys(("start", "restart", "unpause", "rm"), act),
}


# --- pumba


def pumba(path, words):
    if words[-1] == "--version":
        print("Pumba version 1.1.7 - [none:none] none")
        return
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with opened(path) as state:
        state["calls"].append(["pumba", *words])
        targets = matched(state, words)
    if not targets:
        log("warning", "no containers found")
        return
    plain = [word for word in words if not word.startswith("-")]
    for name in targets:
        perform(path, plain[0], words, name)


def matched(state, words):
    wanted, labels = [w for w in words if not w.startswith("-")], value(words, "--label")
    return [
        name
        for name, each in state["containers"].items()
        if name in wanted
        and SKIP not in each["labels"]
        and set(labels) <= {f"{key}={text}" for key, text in each["labels"].items()}
        and (each["state"] in ("running", "paused") or "rm" in wanted)
    ]


def log(level, message, name="", of=""):
    line = {"level": level, "msg": message, "name": f"/{name}" if name else "", "id": of}
    sys.stderr.write(json.dumps(line) + "\n")
    sys.stderr.flush()


def perform(path, command, words, name):
    dry = "--dry-run" in words
    begun = {
        "kill": "killing container",
        "stop": "stopping container",
        "pause": "pausing container",
        "rm": "removing container",
        "restart": "restart container",
        "exec": "exec container",
    }
    if command in begun:
        log("info", begun[command], name)
    if dry:
        return
    try:
        with opened(path) as state:
            failed = begin(state, command, words, name)
        if failed:
            fail_fatally(failed)
        if command in BEGUN_LATER:  # only once it can be seen: a test may kill us at once
            log("debug", BEGUN_LATER[command], name, "stress-id" if command == "stress" else "")
        if value(words, "--duration") and command != "stop":
            time.sleep(float(value(words, "--duration")[0].removesuffix("ms")) / 1000)
    except KeyboardInterrupt:
        pass
    with opened(path) as state:
        end(state, command, words, name)


def begin(state, command, words, name):
    """What it does to the state; returns why it could not."""
    container = state["containers"][name]
    if command == "pause" and state["busy"]:
        state["busy"] -= 1
        return BUSY.format(container["id"])
    if command in ENDS:
        container["state"] = ENDS[command]
    elif command == "rm":
        del state["containers"][name]
    elif command == "restart":
        started(container)
    elif command == "exec" and value(words, "--command") == ["false"]:
        return "running exec: error running chaos command: exec failed false: exit code 1"
    elif command in NETWORK:
        NETWORK[command](container, words)
    elif command == "stress":
        state["helpers"]["nervous_stress"] = helper(value(words, "--stressors")[0])
    return ""


def fail_fatally(words):
    log("fatal", words)
    sys.exit(1)


BUSY = (
    "running pause: error running chaos command: failed to pause container: Error response from daemon: "
    "Cannot pause container {}: OCI runtime pause failed: unable to freeze: unknown"
)
BEGUN_LATER = {
    "iptables": "iptables command started",
    "netem": "netem command started",
    "stress": "stress-ng container created, starting it",
}
ENDS = {"kill": "exited", "stop": "exited", "pause": "paused"}
NETWORK = {
    "iptables": lambda container, words: container["rules"].append(rule_of(words)),
    "netem": lambda container, _: container.update(netem=True),
}


def helper(command):
    labels = {SKIP: "true"}
    told = {"id": "stress-id", "state": "running", "health": "", "looks": 0, "started": "now"}
    return {**told, "labels": labels, "command": command, "network": "default"}


def rule_of(words):
    how = value(words, "--mode")[0]
    if how == "random":
        how = f"random --probability {float(value(words, '--probability')[0]):.2f}"
    else:
        how = f"nth --every {value(words, '--every')[0]} --packet {value(words, '--packet')[0]}"
    return f"INPUT -i {value(words, '--interface')[0]} -m statistic --mode {how} -j DROP"


def end(state, command, words, name):
    container = state["containers"].get(name)
    if command == "pause" and container:
        container["state"] = "running"
    elif command == "iptables" and container:
        with contextlib.suppress(ValueError):
            container["rules"].remove(rule_of(words))
    elif command == "netem" and container:
        container["netem"] = False
    elif command == "stress":
        state["helpers"].pop("nervous_stress", None)


def main():
    {"docker": docker, "pumba": pumba}[sys.argv[1]](Path(sys.argv[2]), sys.argv[3:])
