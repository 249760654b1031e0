"""Reads ``testbed.yaml`` and its links file into a TestbedSpec, and reports every error of both with file and line."""

import re
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ValidationError

from aguante.core.findings import FilePath, InvalidFile, Problem, did_you_mean, one_of, shown
from aguante.core.shape_problems import shape_problems
from aguante.core.values import Value
from aguante.core.yaml_document import Document, read_document
from aguante.testbed.testbed_spec import COLLECTOR, EVERY_SERVICE, LinkSpec, TestbedSpec

NAME = re.compile(r"[a-z][a-z0-9-]{0,40}")
"""Names become file names, environment variables and SQL identifiers."""


class InvalidTestbed(InvalidFile):
    """A TestbedSpec that cannot be used: exit code 3. Contains every error of its files."""


class _LinksFile(Value):
    links: tuple[LinkSpec, ...]


def load_testbed(path: Path) -> TestbedSpec:
    """Read a TestbedSpec. Its paths are absolute, resolved against the file's folder.

    Raises:
        InvalidTestbed: with every error of ``testbed.yaml`` and of the links file that it names.
    """
    document = read_document(path)
    root = path.resolve().parent
    data = document.data if isinstance(document.data, dict) else {}
    named = data.get("links")
    links_document = read_document(root / named) if isinstance(named, str) else None
    findings = [*document.findings, *(links_document.findings if links_document else ())]
    if findings:
        raise InvalidTestbed(findings)
    links, link_problems = _links(links_document)
    spec, problems = _spec(data, root, links)
    if spec:
        problems += _missing_paths(spec) + _unknown_names(spec)
    findings = [document.locate(problem) for problem in problems]
    if links_document:
        findings += [links_document.locate(problem) for problem in link_problems]
    if findings or spec is None:
        raise InvalidTestbed(findings)
    return spec


def _links(document: Document | None) -> tuple[tuple[LinkSpec, ...], list[Problem]]:
    if document is None:
        return (), []
    try:
        links = _LinksFile.model_validate(document.data).links
    except ValidationError as error:
        return (), shape_problems(error, _LinksFile)
    return links, [*_bad_names("links", links), *_twice("links", links)]


def _spec(
    data: dict[str, object], root: Path, links: Sequence[LinkSpec]
) -> tuple[TestbedSpec | None, list[Problem]]:
    known: dict[str, object] = {**data, "root": root, "given": ""}
    if isinstance(data.get("links"), str):
        known["links"] = links
    try:
        return TestbedSpec.model_validate(known, context={"root": root}), []
    except ValidationError as error:
        return None, shape_problems(error, TestbedSpec)


def _missing_paths(spec: TestbedSpec) -> list[Problem]:
    wanted: list[tuple[FilePath, Path, bool]] = [
        (("policies",), spec.policies, spec.policies.is_dir()),
        (("load", "locustfile"), spec.load.locustfile, spec.load.locustfile.is_file()),
        *((("settle", "query"), q, q.is_file()) for q in [spec.settle.query] if q),
        *((("rules",), folder, folder.is_dir()) for folder in [spec.rules] if folder),
        *(
            (("invariants", at, "sql"), each.sql, each.sql.is_file())
            for at, each in enumerate(spec.invariants)
        ),
        *(
            (("reports", at, "sql"), each.sql, each.sql.is_file())
            for at, each in enumerate(spec.reports)
        ),
    ]
    fix = "create it, or correct the path (relative to this file's folder)"
    return [
        Problem(where, f"{path}, which does not exist", "an existing path", fix)
        for where, path, there in wanted
        if not there
    ]


def _unknown_names(spec: TestbedSpec) -> list[Problem]:
    services = {each.name for each in spec.services}
    databases = {each.name for each in spec.databases}
    links = {each.name for each in spec.links}
    checks: list[tuple[FilePath, str, set[str]]] = [
        (("entry",), spec.entry, links),
    ]
    if spec.setup.request:
        checks.append((("setup", "request", "service"), spec.setup.request.service, services))
    if spec.settle.query:
        checks.append((("settle", "database"), spec.settle.database, databases))
    known = {*spec.mechanisms}
    checks += [(("error_types", key), each, known) for key, each in spec.error_types.items()]
    for link in spec.links:
        callees = {"http": services, "postgresql": databases, "otlp": {COLLECTOR}}[link.kind]
        callers = {EVERY_SERVICE} if link.kind == "otlp" else services
        checks.append((("links",), link.callee, callees))
        if link.name != spec.entry:  # the entry's caller is the client, which is no service
            checks.append((("links",), link.caller, callers))
    problems = _of_spans([each.name for each in spec.links if each.kind == "otlp"])
    problems += [
        Problem(where, shown(name), one_of(sorted(names)), did_you_mean(name, names, "correct it"))
        for where, name, names in checks
        if name not in names
    ]
    for key, each in (("services", spec.services), ("databases", spec.databases)):
        problems += [*_bad_names(key, each), *_twice(key, each)]
    for key, queries in (("invariants", spec.invariants), ("reports", spec.reports)):
        problems += _twice(key, queries)
    return problems


def _of_spans(names: Sequence[str]) -> list[Problem]:
    if len(names) < 2:
        return []
    found, fix = " and ".join(names), "send every service's spans over one link"
    return [Problem(("links",), f"the links {found} of kind otlp", "at most one", fix)]


def _bad_names(key: str, named: Sequence[BaseModel]) -> list[Problem]:
    expected = "lower case letters, digits and hyphens, a letter first, at most 41"
    return [
        Problem((key, at, "name"), shown(name), expected, "rename it")
        for at, name in enumerate(_names(named))
        if not NAME.fullmatch(name)
    ]


def _twice(key: str, named: Sequence[BaseModel]) -> list[Problem]:
    names = _names(named)
    return [
        Problem((key, at, "name"), f"{name} again", "unique names", "rename or remove one")
        for at, name in enumerate(names)
        if name in names[:at]
    ]


def _names(named: Sequence[BaseModel]) -> list[str]:
    return [str(getattr(each, "name", "")) for each in named]
