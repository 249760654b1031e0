"""The part of the experiment schema for Pumba's commands and their options, from the table that the driver uses."""

from pydantic import JsonValue

from aguante.faults.pumba_commands import COMMANDS, PumbaCommand
from aguante.faults.pumba_options import Option

Schema = dict[str, JsonValue]


def pumba_section(properties: Schema) -> JsonValue:
    """Fill in the properties of a ``pumba:`` mapping; returns the rules of each command (``allOf``)."""
    del properties["options"]
    properties["command"] = {"enum": list(COMMANDS), "title": "Command"}
    for command in COMMANDS.values():
        for option in command.options:
            properties.setdefault(option.key, _kind(option))
    return [_when(command) for command in COMMANDS.values()]


def _when(command: PumbaCommand) -> JsonValue:
    wanted: JsonValue = [each.key for each in command.options if each.default is None]
    bounds: Schema = {each.key: _bounds(each) for each in command.options}
    return {
        "if": {"properties": {"command": {"const": command.name}}, "required": ["command"]},
        "then": {
            "required": wanted,
            "properties": bounds,
            "description": f"{command.meaning}; afterwards: {command.undone}",
        },
    }


def _kind(option: Option) -> JsonValue:
    match option.kind:
        case "whole":
            return {"type": "integer"}
        case "number":
            return {"type": "number"}
        case "flag":
            return {"type": "boolean"}
        case "words":
            return {"type": "array", "items": {"type": "integer" if option.maximum else "string"}}
        case "text":
            return {"type": "string"}


def _bounds(option: Option) -> JsonValue:
    bounds: Schema = {"description": option.meaning}
    if option.kind in ("whole", "number"):
        bounds |= {"minimum": option.minimum, "maximum": option.maximum}
    if option.choices:
        bounds["enum"] = list(option.choices)
    return bounds
