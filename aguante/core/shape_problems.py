"""Errors of pydantic as Problems: each at its place in the file, with what was found, expected and how to fix it."""

import re
from collections.abc import Callable, Mapping
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from aguante.core.findings import FilePath, Problem, did_you_mean, one_of, shown
from aguante.core.units import a_number, meant_key, meant_number
from aguante.core.values import Value


def shape_problems(error: ValidationError, model: type[Value]) -> list[Problem]:
    """Every error of a document that ``model`` refused.

    Args:
        error: as ``model`` raised it.
        model: of the whole document.
    """
    return [_problem(each, model) for each in error.errors(include_url=False) if _real(each)]


def _real(error: ErrorDetails) -> bool:
    """pydantic counts only valid items: it also calls a full list of wrong items too short."""
    return not (error["type"] == "too_short" and error["input"])


def _problem(error: ErrorDetails, model: type[Value]) -> Problem:
    path, holder = _in_file(error["loc"], model)
    if error["type"] == "extra_forbidden":
        return _unknown_key(path, holder.file_keys() if holder else [])
    translate = _TRANSLATIONS.get(error["type"], _other)
    return translate(path, error["input"], {"msg": error["msg"], **error.get("ctx", {})})


def _in_file(loc: FilePath, model: type[Value]) -> tuple[FilePath, type[Value] | None]:
    """The path as the file has it, and the model of the mapping that contains the last key."""
    path: list[str | int] = []
    holder: type[Value] | None = None
    inside: type[Value] | None = model
    for step in loc:
        if inside is not None and step == inside.gathers:
            continue  # in a file, its keys are those of the section
        if isinstance(step, str):
            holder, inside = inside, _model_at(inside, step)
        path.append(step)
    return tuple(path), holder


def _model_at(model: type[Value] | None, key: str) -> type[Value] | None:
    field = model.model_fields.get(key) if model is not None else None
    return _model_in(field.annotation) if field else None


def _model_in(annotation: object) -> type[Value] | None:
    if isinstance(annotation, type) and issubclass(annotation, Value):
        return annotation
    found = (_model_in(each) for each in get_args(annotation))
    return next((each for each in found if each is not None), None)


Context = Mapping[str, Any]
Translate = Callable[[FilePath, object, Context], Problem]


def _key(path: FilePath) -> str:
    return next((str(step) for step in reversed(path) if isinstance(step, str)), "")


def _unknown_key(path: FilePath, known: list[str]) -> Problem:
    key = _key(path)
    meant, fix = meant_key(key, known)
    return Problem(path, f"the key {key}", one_of(known), fix, unknown_key=True, meant=meant)


def _missing(path: FilePath, _: object, __: Context) -> Problem:
    key = _key(path)
    return Problem(path, "nothing", f"the key {key}", f"add {key}:", at_key=False)


def _number(path: FilePath, value: object, _: Context) -> Problem:
    key = _key(path)
    fix = meant_number(key, value) if isinstance(value, str) else "write a plain number"
    return Problem(path, shown(value), a_number(key), fix)


def _whole(path: FilePath, value: object, context: Context) -> Problem:
    fix = _number(path, value, context).fix
    return Problem(path, shown(value), a_number(_key(path), whole=True), fix)


def _text(path: FilePath, value: object, _: Context) -> Problem:
    fix = "write some text" if isinstance(value, dict | list | None) else "put it in quotes"
    return Problem(path, shown(value), "text", fix)


def _bound(sign: str, name: str) -> Translate:
    def translate(path: FilePath, value: object, context: Context) -> Problem:
        limit = context[name]
        bound = f"{sign} {limit if isinstance(limit, int) else f'{limit:g}'}"
        expected = f"{a_number(_key(path))} {bound}"
        return Problem(path, shown(value), expected, f"give a value {bound}")

    return translate


def _choice(path: FilePath, value: object, context: Context) -> Problem:
    names = re.findall(r"'([^']*)'", str(context["expected"]))
    otherwise = f"choose {one_of(names)}"
    return Problem(path, shown(value), one_of(names), did_you_mean(str(value), names, otherwise))


def _collection(expected: str, fix: str) -> Translate:
    def translate(path: FilePath, value: object, _: Context) -> Problem:
        return Problem(path, shown(value), expected, fix)

    return translate


def _pattern(path: FilePath, value: object, _: Context) -> Problem:
    meant = re.sub(r"[^a-z0-9]+", "-", str(value).lower()).strip("-") or "a-name"
    expected = "lower-case letters, digits and hyphens"
    return Problem(path, shown(value), expected, f"write {meant[:60]}")


def _rule(path: FilePath, _: object, context: Context) -> Problem:
    return Problem(path, context["found"], context["expected"], context["fix"])


def _empty(path: FilePath, value: object, _: Context) -> Problem:
    return Problem(path, shown(value), "something in it", f"fill in {_key(path)}")


def _long(path: FilePath, value: object, context: Context) -> Problem:
    limit = context["max_length"]
    return Problem(path, f"{len(str(value))} characters", f"at most {limit}", "shorten it")


def _no_json(path: FilePath, _: object, context: Context) -> Problem:
    where = str(context["msg"]).rpartition(" at ")[2]
    return Problem(path, f"something else than JSON ({where})", "JSON", "correct the syntax")


_SHOULD = (
    "Input should be ",
    "Input should ",
    "Value should be ",
    "Value should ",
    "Value error, ",
)


def _other(path: FilePath, value: object, context: Context) -> Problem:
    message = str(context["msg"])
    for words in _SHOULD:
        message = message.removeprefix(words)
    return Problem(path, shown(value), message[:1].lower() + message[1:], "correct the value")


_mapping = _collection("a mapping", "write key: value pairs, indented below it")
_list = _collection("a list", "start each item on its own line with a hyphen (- )")

_TRANSLATIONS: dict[str, Translate] = {
    "missing": _missing,
    "float_type": _number,
    "float_parsing": _number,
    "finite_number": _number,
    "int_type": _whole,
    "int_parsing": _whole,
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
    "json_invalid": _no_json,
    "rule": _rule,
}
