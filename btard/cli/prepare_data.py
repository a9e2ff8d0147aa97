"""`btard prepare-data`: tokenise a text once, for the tasks that train on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from btard.cli import options


def prepare_data(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="wikitext-103, python-topics, or a name of yours.")
    ],
    parquet: Annotated[
        Path | None, options.output("DIR", "The text: train*.parquet and validation*.parquet.")
    ] = None,
    tokenizer: Annotated[
        Path | None, options.output("PATH", "A tokenizer.json; by default that of albert-large-v2.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Tokenise a text once, keep it under its name, and print its digests.

    The file lies in the folder that BTARD_DATA names, else in ~/.cache/btard. Peers of one run need the same
    digests.

    Example: btard prepare-data wikitext-103 --parquet wikitext/ --tokenizer albert-large-v2/
    """
    from json import dumps

    from btard.data.text.preparation import prepare_text

    found = prepare_text(name, parquet, tokenizer)
    typer.echo(dumps(found.to_dict()) if json else "\n".join(found.lines()))
