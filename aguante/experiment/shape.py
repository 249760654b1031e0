"""Shapes: pydantic's errors on a document, each said as a Problem at its place in the file."""

import re
from collections.abc import Callable, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from aguante.core.findings import Problem, did_you_mean, one_of, shown
from aguante.core.pydantic_wording import expected_of
from aguante.core.units import a_number, meant_key, meant_number
from aguante.expectations.expectation import Expectation
from aguante.expectations.registry import KINDS
from aguante.experiment.experiment import Experiment

Path_ = tuple[str | int, ...]


def check_shape(data: object) -> tuple[Experiment | None, list[Problem]]:
    """The experiment that the data describe, or all that is wrong with their shape."""
    try:
        return Experiment.model_validate(data), []
    except ValidationError as error:
        return None, [_problem(each) for each in error.errors(include_url=False) if _real(each)]


def _real(error: ErrorDetails) -> bool:
    """pydantic counts only the items that are valid: a full list of wrong items is not also too short."""
    return not (error["type"] == "too_short" and error["input"])


def _problem(error: ErrorDetails) -> Problem:
    path = _in_file(error["loc"])
    make = _TRANSLATIONS.get(error["type"], _other)
    return make(path, error["input"], error.get("ctx", {}), expected_of(error))


def _in_file(loc: Path_) -> Path_:
    """The path as the file has it: e.g. toxic attributes beside the link, not below ``attributes``."""
    return tuple(
        step for at, step in enumerate(loc) if at == 0 or (loc[at - 1], step) not in _INLINE
    )


_INLINE = (
    ("toxiproxy", "attributes"),
    ("pumba", "options"),
    *((kind, each.gathers) for kind, each in KINDS.items() if each.gathers),
)
"""Mappings of the model whose keys stand beside the others in the file."""


def keys_at(path: Path_) -> list[str]:
    """The keys that the mapping at ``path`` may have, by the model."""
    model: type[BaseModel] = Experiment
    for step in path:
        if isinstance(step, str):
            inner = _model_in(model.model_fields[step].annotation)
            if inner is None:
                return []
            model = inner
    if not issubclass(model, Expectation):
        return list(model.model_fields)
    return [*(name for name in model.model_fields if name != model.gathers), *model.usual_keys]


def _model_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_in(each) for each in get_args(annotation))
    return next((each for each in found if each is not None), None)


Context = Mapping[str, Any]
Translate = Callable[[Path_, object, Context, str], Problem]


def _key(path: Path_) -> str:
    return next((str(step) for step in reversed(path) if isinstance(step, str)), "")


def _missing(path: Path_, _: object, __: Context, ___: str) -> Problem:
    key = _key(path)
    return Problem(path, "nothing", f"the key {key}", f"add {key}:", at_key=False)


def _extra(path: Path_, value: object, __: Context, ___: str) -> Problem:
    key, known = _key(path), keys_at(path[:-1])
    meant, hint = meant_key(key, known)
    return Problem(path, f"the key {key}", one_of(known), hint, unknown_key=True, meant=meant)


def _number(path: Path_, value: object, _: Context, __: str) -> Problem:
    key = _key(path)
    hint = meant_number(key, value) if isinstance(value, str) else "write a plain number"
    return Problem(path, shown(value), a_number(key), hint)


def _whole(path: Path_, value: object, context: Context, said: str) -> Problem:
    key = _key(path)
    expected = a_number(key).replace("number", "whole number", 1)
    return Problem(path, shown(value), expected, _number(path, value, context, said).fix)


def _text(path: Path_, value: object, _: Context, __: str) -> Problem:
    hint = "write some text" if isinstance(value, dict | list | None) else "put it in quotes"
    return Problem(path, shown(value), "text", hint)


def _bound(sign: str, name: str) -> Translate:
    def translate(path: Path_, value: object, context: Context, _: str) -> Problem:
        limit = context[name]
        unit = a_number(_key(path))
        expected = f"{unit} {sign} {limit:g}"
        return Problem(path, shown(value), expected, f"give a value {sign} {limit:g}")

    return translate


def _choice(path: Path_, value: object, context: Context, _: str) -> Problem:
    names = re.findall(r"'([^']*)'", str(context["expected"]))
    otherwise = f"choose {one_of(names)}"
    return Problem(path, shown(value), one_of(names), did_you_mean(str(value), names, otherwise))


def _collection(expected: str, hint: str) -> Translate:
    def translate(path: Path_, value: object, _: Context, __: str) -> Problem:
        return Problem(path, shown(value), expected, hint)

    return translate


def _pattern(path: Path_, value: object, _: Context, __: str) -> Problem:
    meant = re.sub(r"[^a-z0-9]+", "-", str(value).lower()).strip("-") or "a-name"
    expected = "lower-case letters, digits and hyphens"
    return Problem(path, shown(value), expected, f"write {meant[:60]}")


def _rule(path: Path_, _: object, context: Context, __: str) -> Problem:
    return Problem(path, context["found"], context["expected"], context["fix"])


def _empty(path: Path_, value: object, _: Context, __: str) -> Problem:
    return Problem(path, shown(value), "something in it", f"fill in {_key(path)}")


def _long(path: Path_, value: object, context: Context, _: str) -> Problem:
    limit = context["max_length"]
    return Problem(path, f"{len(str(value))} characters", f"at most {limit}", "shorten it")


def _other(path: Path_, value: object, _: Context, expected: str) -> Problem:
    return Problem(path, shown(value), expected, "correct the value")


_mapping = _collection("a mapping", "write key: value pairs, indented below it")
_list = _collection("a list", "start each item on its own line with a hyphen (- )")

_TRANSLATIONS: dict[str, Translate] = {
    "missing": _missing,
    "extra_forbidden": _extra,
    "float_type": _number,
    "finite_number": _number,
    "int_type": _whole,
    "int_from_float": _whole,
    "string_type": _text,
    "string_too_short": _empty,
    "too_short": _empty,
    "string_too_long": _long,
    "string_pattern_mismatch": _pattern,
    "greater_than": _bound(">", "gt"),
    "greater_than_equal": _bound(">=", "ge"),
    "less_than_equal": _bound("<=", "le"),
    "literal_error": _choice,
    "tuple_type": _list,
    "list_type": _list,
    "dict_type": _mapping,
    "model_type": _mapping,
    "model_attributes_type": _mapping,
    "rule": _rule,
}
