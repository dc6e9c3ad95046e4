"""The parser of the command line, which tells what was meant by what is misspelt; and how wide a terminal is."""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from searchkit.cli.names import close

_CHOICE = re.compile(r"argument (?P<what>.*?): invalid choice: '?(?P<given>[^']*?)'? \(choose from (?P<known>.*)\)")


class Parser(argparse.ArgumentParser):
    """An `ArgumentParser` that suggests the command, the choice or the option that is nearest to a misspelt one."""

    def error(self, message: str) -> NoReturn:
        """Print one sentence and end with exit code 2."""
        if found := _CHOICE.fullmatch(message):
            known = re.findall(r"[\w.-]+", found["known"])
            what = found["what"].lower() if found["what"].isupper() else found["what"]
            meant = close(found["given"], known)
            hint = f"did you mean {meant!r}?" if meant else f"known are {', '.join(known)}"
            message = f"unknown {what} {found['given']!r}: {hint}"
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        """What `parse_args` does; an unknown option is told by the command that it was given to."""
        options, rest = self.parse_known_args(arguments)
        if rest:
            command = self._chosen(options)
            given = next((one for one in rest if one.startswith("-")), rest[0]).partition("=")[0]
            known = [text for action in command._actions for text in action.option_strings]
            meant = close(given, known) if given.startswith("-") else None
            command.error(f"unknown argument {given!r}" + (f": did you mean {meant!r}?" if meant else ""))
        return options

    def _chosen(self, options: argparse.Namespace) -> Parser:
        """The parser of the command that was given, of one with actions that of the action."""
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                chosen = action.choices[getattr(options, action.dest)]
                assert isinstance(chosen, Parser)
                return chosen._chosen(options)
        return self


def columns() -> int | None:
    """How wide the terminal is that prints go to; None if they go to a file or a pipe, which has no width."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def choices_of(parser: argparse.ArgumentParser) -> dict[str, Any]:
    """The commands of a parser, by name."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}
