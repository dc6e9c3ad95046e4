"""The form of large-language-monkeys: a problem a YAML file, or a line, with its samples and whether each is right.

As its generation and evaluation scripts write them: prompt, question, samples, gt_answer and is_corrects
(https://github.com/ScalingIntelligence/large_language_monkeys, `llmonk/generate` and `llmonk/evaluate`). Its README
says is_correct; either is read.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from searchkit.errors import ConfigError
from searchkit.kinds import printable
from searchkit.logs.bounded import lines, whole
from searchkit.logs.fields import FieldNames
from searchkit.logs.json_lines import of_row
from searchkit.logs.logged import How, Logged, Notes

NAME = "monkeys"
ABOUT = "large-language-monkeys: a folder of YAML files, or JSON lines, with samples and is_corrects"
USES = ("threshold", "key", "prices")
IDS = ("orig_dset_idx", "id", "name", "theorem_name", "problem")
_BARE = dict.fromkeys(("score", "key", "generated_tokens", "prompt_tokens", "usd", "finish"), "")


def fits(path: Path, head: bytes) -> bool:
    """YAML, or a first line that has samples and their verdicts."""
    return path.suffix in (".yaml", ".yml") or (
        b'"samples"' in head and (b'"is_correct' in head or b'"gt_answer"' in head)
    )


def read(path: Path, how: How, told: Notes) -> Iterator[Logged]:
    """Its samples. A problem of a YAML file is called by the file, as the scripts call it by its number."""
    if path.suffix in (".yaml", ".yml"):
        row = _yaml(whole(path, "it is one problem"), path)
        told.advance(path.stat().st_size)
        yield from _samples({**row, "": path.stem}, how, str(path), "")
        return
    for where, row in lines(path, told.advance):
        known = next((name for name in IDS if row.get(name) is not None), IDS[1])
        yield from _samples(row, how, where, known)


def _samples(row: dict[str, Any], how: How, where: str, problem: str) -> Iterator[Logged]:
    if not isinstance(row.get("samples"), list):
        raise ConfigError(f"{where}: no list of samples: name a file that the generation scripts wrote")
    correct = "is_corrects" if "is_corrects" in row else "is_correct" if "is_correct" in row else ""
    asked = "prompt" if row.get("prompt") is not None else "question"
    names = FieldNames(
        problem=problem or "stem", value="samples", correct=correct, prompt=asked, reference="gt_answer", **_BARE
    )
    yield from of_row({**row, "stem": row[""]} if not problem else row, how, names, where)


def _yaml(raw: bytes, path: Path) -> dict[str, Any]:
    """The mapping in a YAML file. Aliases are refused: what refers to itself can be far larger than the file."""
    try:
        yaml: Any = importlib.import_module("yaml")
    except ImportError as error:
        raise ConfigError("YAML needs PyYAML: pip install pyyaml, or convert it to JSON lines") from error
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        for event in yaml.parse(raw, Loader=loader):
            if isinstance(event, yaml.AliasEvent):
                raise ConfigError(f"{path}: it has aliases, and no script writes any: convert it to JSON lines")
        found = yaml.load(raw, Loader=loader)  # the safe loader: no object but texts, numbers, lists and mappings
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        said = "it is nested too deep" if isinstance(error, RecursionError) else " ".join(str(error).split())
        raise ConfigError(f"{path} cannot be read as YAML ({printable(said):.300}): write it again") from None
    if not isinstance(found, dict):
        raise ConfigError(f"{path}: no mapping but {type(found).__name__}: name a file that the scripts wrote")
    return {str(name): value for name, value in found.items()}
