"""The command line's page of the reference, written from its parser: `python tools/cli_reference.py` writes it anew.

It reads the parser's arguments, not its `--help`, whose layout depends on Python's version and on the terminal.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from searchkit.cli import EPILOG, parser

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "cli.md"
HEAD = """# The command line

What `searchkit COMMAND --help` says, for all commands. The guide's page on [sweeps](../guide/experiments/sweeps.md) has
an example of a configuration.

% Written by `python tools/cli_reference.py` from the parser: change it there.

```text
{examples}
```

Exit codes: 0 done, 1 failed, 2 a mistake in the arguments, 130 interrupted.
"""
MODULES = """
## Modules

```{eval-rst}
.. automodule:: searchkit.cli
.. automodule:: searchkit.cli.names
.. automodule:: searchkit.cli.demo
.. automodule:: searchkit.cli.solve
.. automodule:: searchkit.cli.estimate
.. automodule:: searchkit.cli.sweep
.. automodule:: searchkit.cli.sweep_config
.. automodule:: searchkit.cli.sweep_problems
.. automodule:: searchkit.cli.models
.. automodule:: searchkit.cli.preflight
.. automodule:: searchkit.cli.tables
.. automodule:: searchkit.cli.rejudge
.. automodule:: searchkit.cli.serve
.. automodule:: searchkit.cli.serve_config
.. automodule:: searchkit.cli.compare
.. automodule:: searchkit.cli.plot
.. automodule:: searchkit.cli.report
.. automodule:: searchkit.cli.pool
.. automodule:: searchkit.cli.journal
.. automodule:: searchkit.cli.schema
.. automodule:: searchkit.cli.parsing
```
"""


def page() -> str:
    """The whole page as Markdown."""
    examples = "\n".join(line.strip() for line in EPILOG.splitlines()[1:])
    sections = (f"\n{section(name, *found)}" for name, found in commands())
    return HEAD.format(examples=examples) + "".join(sections) + MODULES


def commands(
    whole: argparse.ArgumentParser | None = None, above: str = ""
) -> Iterator[tuple[str, tuple[str, argparse.ArgumentParser]]]:
    """Each command with what it is for and its parser, in the order of the help; of one with actions, its actions."""
    for group in (whole or parser())._actions:
        if isinstance(group, argparse._SubParsersAction):
            about = {action.dest: action.help or "" for action in group._choices_actions}
            for name, command in group.choices.items():
                inner = list(commands(command, f"{above}{name} "))
                yield from inner or [(above + name, (about[name], command))]


def section(name: str, about: str, command: argparse.ArgumentParser) -> str:
    """What a command is for, and a table of what it takes."""
    rows = [row(action) for action in command._actions if not isinstance(action, argparse._HelpAction)]
    table = "\n".join(["| argument | meaning |", "|---|---|", *rows])
    return f"## searchkit {name}\n\n{about[:1].upper()}{about[1:]}.\n\n{table}\n"


def row(action: argparse.Action) -> str:
    """One argument: how it is written, and what it means, with its choices and its default."""
    value = "" if action.nargs == 0 else " ".join(placeholders(action))
    written = ", ".join(action.option_strings) + (f" {value}" if action.option_strings and value else "")
    meaning = (action.help or "") % {**vars(action), "prog": "searchkit"}
    if action.choices is not None:
        meaning += f"; one of {', '.join(map(str, action.choices))}"
    if action.default not in (None, False, "", []) and "default" not in meaning:
        meaning += f" (default: {action.default})"
    if not action.option_strings:
        written = f"[{value}]" if action.nargs == "?" else value
    return f"| `{written}` | {meaning} |"


def placeholders(action: argparse.Action) -> list[str]:
    """The names of the values that an argument takes."""
    if isinstance(action.metavar, tuple):
        return list(action.metavar)
    return [action.metavar or (action.dest.upper() if action.option_strings else action.dest)]


def main() -> int:
    PAGE.write_text(page())
    print(f"wrote {PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
