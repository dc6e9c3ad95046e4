"""`searchkit export`: training data out of a journal, a sweep or a pool."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from searchkit.errors import ConfigError

if TYPE_CHECKING:
    from searchkit.types import Problem


def add(commands: Any) -> None:
    """The command's options."""
    command = commands.add_parser("export", help="training data out of a journal, a sweep or a pool")
    command.add_argument("source", metavar="SOURCE", nargs="+", help="journals, sweeps' folders, or pools' files")
    command.add_argument("--as", dest="format", default="trl-sft", metavar="FORMAT",
                         help="what reads it, such as trl-dpo; 'list' prints all (default: %(default)s)")  # fmt: skip
    command.add_argument("--out", metavar="FILE", help="a .jsonl or .parquet file (default: FORMAT.jsonl)")
    command.add_argument("--text", action="store_true", help="texts, for models without a chat template")
    command.add_argument("--problems", metavar="FILE", help="JSON lines with id, prompt and reference, where needed")
    command.add_argument("--margin", type=float, help="pairs: how much better the chosen one is, at least (default: 0)")
    command.add_argument("--every", action="store_true", help="pairs: all right against all wrong answers of a problem")
    command.add_argument("--easiest", type=float, default=1.0, help="problems solved at most so often (default: 1)")
    command.add_argument("--hardest", type=float, default=0.0, help="problems solved at least so often (default: 0)")
    command.add_argument("--most", type=int, help="rows of a problem (default: all)")
    command.add_argument(
        "--held-out", metavar="FILE", help="more problems to refuse: ids, or objects with id or prompt"
    )
    command.add_argument("--drop-held-out", action="store_true", help="leave held-out problems out instead of failing")
    command.add_argument(
        "--validation", type=float, default=0.0, help="share of problems for a second file (default: 0)"
    )
    command.add_argument("--licence", default="", help="of the texts, for each row")
    command.add_argument("--json", action="store_true", help="print what was written as JSON")


def export(options: argparse.Namespace) -> int:
    """Write the file and print what is in it, and what was left out."""
    from searchkit.export import FORMATS, Keep
    from searchkit.export import export as write

    if options.format == "list":
        print(*(f"{name:14} {one.about}" for name, one in FORMATS.items()), sep="\n")
        return 0
    done = write(
        options.source, options.out or f"{options.format}.jsonl", options.format,
        problems=list(problems(options.problems)), recipe=_recipe(options), held_out=_path(options.held_out),
        keep=Keep(easiest=options.easiest, hardest=options.hardest, most=options.most),
        drop_held_out=options.drop_held_out, validation=options.validation,
        shape="text" if options.text else "messages", licence=options.licence,
    )  # fmt: skip
    print(json.dumps(asdict(done)) if options.json else done)
    return 0 if done.rows else 1


def _path(name: str | None) -> Path | None:
    return None if name is None else Path(name)


def _recipe(options: argparse.Namespace) -> Any:
    """The recipe of pairs with another margin; None for the format's own."""
    from searchkit.export import FORMATS, Both, Pairs, Siblings
    from searchkit.export.formats.trl import PAIRED

    if options.margin is None and not options.every:
        return None
    if options.format in FORMATS and FORMATS[options.format].recipe is not PAIRED:
        raise ConfigError(f"--margin and --every are for pairs, and {options.format} has none")
    margin = options.margin or 0.0
    return Both((Siblings(margin), Pairs(margin, options.every)))


def problems(name: str | None) -> Iterator[Problem]:
    """The problems of a file of JSON lines; none of none."""
    from searchkit.types import Problem, Prompt

    if name is None:
        return
    try:
        lines = Path(name).read_text(encoding="utf-8").split("\n")  # other breaks may stand in a prompt
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--problems {name} cannot be read: {error}") from error
    for number, line in enumerate(filter(str.strip, lines), 1):
        try:
            stored = json.loads(line)
            yield Problem(str(stored["id"]), Prompt.of(stored["prompt"]), stored.get("reference"))
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(f'{name}, line {number}: {error!r}; a line is {{"id": ..., "prompt": ...}}') from error
