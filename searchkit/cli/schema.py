"""`searchkit schema` and `searchkit completion`: what editors and shells complete."""

from __future__ import annotations

import argparse
import json
import re
from typing import Any

from searchkit.cli import models, names
from searchkit.cli.parsing import choices_of
from searchkit.errors import ConfigError

SHELLS = ("bash", "zsh")
FILES = ("config", "sweep", "file", "A", "B", "folder", "to", "out", "journal", "tree")
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def add(commands: Any) -> None:
    """The commands' options."""
    commands.add_parser("schema", help="the JSON schema of a sweep's TOML file, for editors that complete and check it")
    command = commands.add_parser("completion", help="a script that completes commands, options, strategies and files")
    command.add_argument("shell", choices=SHELLS, help="which shell; the guide's page on sweeps says where it goes")


def schema() -> int:
    """Print the schema."""
    from searchkit.cli.sweep_config import schema as of_a_sweep

    print(json.dumps(of_a_sweep(), indent=2))
    return 0


def completion(parser: argparse.ArgumentParser, shell: str) -> int:
    """Print the script for a shell, made by shtab."""
    try:
        import shtab
    except ImportError:
        raise ConfigError("completion needs a package: pip install shtab") from None
    named = {"strategy": strategies(), "verifier": verifiers(), "backend": list(models.NAMED)}
    _teach(parser, shtab, named)
    functions: Any = {shell: "\n".join(_function(shell, *one) for one in named.items())}  # as its own type forgets
    print(shtab.complete(parser, shell, preamble=functions))
    return 0


def strategies() -> list[str]:
    """As they are usually typed: best-of-n."""
    return sorted(dashed(name) for name in names.strategy_names() if name != "Strategy")


def verifiers() -> list[str]:
    """Likewise, those that can be made from a name alone or are the user's to call."""
    return sorted({dashed(name) for name, value in names.known().items() if hasattr(value, "verify")})


def dashed(name: str) -> str:
    """``BestOfN`` as ``best-of-n``; `names.plain` takes both for one."""
    return _WORD.sub("-", name).replace("_", "-").lower()


def _teach(parser: argparse.ArgumentParser, shtab: Any, named: dict[str, list[str]]) -> None:
    """Tell shtab what each argument is completed with."""
    for action in parser._actions:
        if action.dest in named:
            action.complete = dict.fromkeys(SHELLS, f"_searchkit_{action.dest}")  # type: ignore[attr-defined]
        elif action.dest in FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    for command in choices_of(parser).values():
        _teach(command, shtab, named)


def _function(shell: str, name: str, words: list[str]) -> str:
    """A function of the shell that offers these words."""
    if shell == "bash":
        return f"_searchkit_{name}() {{\n  compgen -W '{' '.join(words)}' -- \"$1\"\n}}"
    return f"_searchkit_{name}() {{\n  compadd -- {' '.join(words)}\n}}"
