"""``aguante schema``: the JSON Schema of a public file format, for editors and tools."""

import click

from aguante.report.schemas import NAMES, rendered


@click.command("schema")
@click.argument("name", type=click.Choice(NAMES), default="experiment")
def schema_command(name: str) -> int:
    """Print the JSON Schema of experiment files, verdict.json or testbed.yaml.

    Editors find it through the first line of a file:

        # yaml-language-server: $schema=../schemas/experiment.schema.json
    """
    click.echo(rendered()[f"{name}.schema.json"], nl=False)
    return 0
