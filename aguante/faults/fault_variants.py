"""Variants of a kind of fault, e.g. the toxics of Toxiproxy or the commands of Pumba, as rows of a table.

One key of a section names a row, and the row lists the other keys that the section may have. Loader, JSON Schema and
driver read the same table.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any

from pydantic import JsonValue

from aguante.core.findings import Problem, did_you_mean, one_of
from aguante.core.units import meant_key
from aguante.faults.fault_options import Option, OptionValue

Written = Mapping[str, object]
"""A mapping as the file has it; values of a wrong type are left to the shape check."""
Rule = Callable[[Written], Iterator[Problem]]
"""Yields the options that contradict each other; paths start at the section."""


def no_rule(_: Written) -> Iterator[Problem]:
    """Any combination of valid options is valid."""
    yield from ()


@dataclass(frozen=True)
class Variant:
    """One row of a kind's table."""

    name: str
    """As the file and the tool have it."""
    meaning: str
    options: tuple[Option, ...] = ()
    _: KW_ONLY
    rule: Rule = no_rule
    """What must hold between options, e.g. a jitter of at most the delay; checked when each option is valid."""

    @property
    def schema_description(self) -> str:
        """For the JSON Schema."""
        return self.meaning

    def complete(self, given: Written) -> tuple[tuple[str, OptionValue], ...]:
        """(key, value) of every option in the table's order, defaults filled in.

        Args:
            given: as written in the file, and checked.
        """
        return tuple(
            (each.key, each.planned(given.get(each.key, each.default))) for each in self.options
        )


def variant_problems(
    written: Written, choice: str, table: Mapping[str, Variant], own: list[str]
) -> Iterator[Problem]:
    """Everything wrong with the choice of a variant and with its options; paths start at the section.

    Args:
        written: the section.
        choice: the key that names the variant, e.g. ``toxic``.
        table: the variants by name.
        own: keys that the mapping may have with any variant.
    """
    name = written.get(choice)
    if not isinstance(name, str):
        return  # the shape check reports it
    variant = table.get(name)
    if variant is None:
        yield Problem((choice,), name, _all(table), _meant(name, table))
        return
    what = f"{choice} {name}"
    problems = [
        *_unknown_keys(written, variant, what, own),
        *_option_problems(written, variant, what),
    ]
    yield from problems or variant.rule(written)


def _all(table: Mapping[str, Variant]) -> str:
    return f"one of {', '.join(table)}"


def _meant(name: str, table: Mapping[str, Variant]) -> str:
    """The nearest name; of one that is only the first word of names, all of those."""
    longer = [each for each in table if each.startswith(f"{name} ")]
    if longer:
        return f"write the whole command: {', '.join(longer)}"
    return did_you_mean(name, table, "choose one of them")


def _unknown_keys(
    written: Written, variant: Variant, what: str, own: list[str]
) -> Iterator[Problem]:
    known = [each.key for each in variant.options]
    for key in written:
        if key not in own and key not in known:
            expected = f"{one_of(known)} with {what}" if known else f"no options with {what}"
            meant, fix = meant_key(key, [*known, *own])
            yield Problem((key,), f"the key {key}", expected, fix, unknown_key=True, meant=meant)


def _option_problems(written: Written, variant: Variant, what: str) -> Iterator[Problem]:
    for option in variant.options:
        if option.key in written:
            yield from option.problems(written[option.key])
        elif option.default is None:
            fix = f"add {option.key}: ({option.summary})"
            expected = f"{option.key} with {what}"
            yield Problem((option.key,), "nothing", expected, fix, at_key=False)


def at_most(key: str, limit: str, why: str) -> Rule:
    """The rule that one whole number is not larger than another."""

    def rule(written: Written) -> Iterator[Problem]:
        value, bound = written.get(key, 0), written.get(limit, 0)
        if isinstance(value, int) and isinstance(bound, int) and value > bound:
            yield Problem((key,), str(value), f"at most {limit} ({bound})", why)

    return rule


def describe_variants(
    schema: dict[str, Any], choice: str, table: Mapping[str, Variant], gathers: str
) -> None:
    """Add the rows of a table to the JSON Schema of a section: their names, and their options with the bounds.

    Args:
        schema: of the section; is changed.
        choice: the key that names a row.
        table: the rows by name.
        gathers: the model's field for the options, which are keys of the section itself in a file; may be empty.
    """
    properties = schema["properties"]
    properties.pop(gathers, None)
    if table:
        properties[choice] = {"enum": list(table), "title": choice.capitalize()}
    for variant in table.values():
        for option in variant.options:
            properties.setdefault(option.key, dict(option.SCHEMA))
    if gathers:
        schema["allOf"] = [_when(choice, each) for each in table.values()]


def _when(choice: str, variant: Variant) -> JsonValue:
    required: JsonValue = [each.key for each in variant.options if each.default is None]
    return {
        "if": {"properties": {choice: {"const": variant.name}}, "required": [choice]},
        "then": {
            "required": required,
            "properties": {each.key: each.limits_schema() for each in variant.options},
            "description": variant.schema_description,
        },
    }
