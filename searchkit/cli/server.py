"""What is sent to a server besides what is asked, and how much in a minute, as arguments and as keys of a TOML file.

They are the options of `OpenAI`, and the limits of `Balanced`.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping
from typing import Any

from searchkit.errors import ConfigError
from searchkit.generators.openai.presets import PRESETS

TABLE: Mapping[str, type] = {
    "preset": str, "revision": str, "extras": bool, "leave_out": list, "rename": dict, "extra_body": dict,
    "extra_headers": dict, "extra_query": dict, "requests_a_minute": int, "tokens_a_minute": int,
}  # fmt: skip
_FROM_ENVIRONMENT = ("extra_headers", "extra_query")


def add(command: argparse.ArgumentParser) -> None:
    """Give a command these options."""
    known = f"what to leave out and rename for a known server: {', '.join(PRESETS)}"
    command.add_argument("--preset", metavar="NAME", help=known)
    command.add_argument(
        "--revision", help="of the model behind that name, for journals and caches; another after a change"
    )
    command.add_argument(
        "--extras",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="send fields outside the OpenAI API (default: to all but api.openai.com, and as the preset says)",
    )
    command.add_argument(
        "--leave-out", action="append", default=[], metavar="FIELD", help="a field that is not sent; repeatable"
    )
    pairs = {
        "--rename": ("FIELD=NAME", "a field and the server's name of it; repeatable"),
        "--extra-body": ("FIELD=JSON", "a field to send besides, such as reasoning_effort=low; repeatable"),
        "--extra-header": ("NAME=VALUE", "a header; $NAME as its value is read from the environment; repeatable"),
        "--extra-query": ("NAME=VALUE", "a parameter of the URL, such as api-version=2024-10-21; likewise"),
    }
    for option, (metavar, text) in pairs.items():
        name = "extra_headers" if option == "--extra-header" else option[2:].replace("-", "_")
        command.add_argument(option, dest=name, action="append", default=[], metavar=metavar, help=text)

    for what, text in (("requests", "is sent"), ("tokens", "reads and writes")):
        command.add_argument(
            f"--{what}-a-minute", type=int, metavar="N", help=f"the most that a server {text} in a minute"
        )


def given(options: argparse.Namespace) -> dict[str, Any]:
    """Those of the options that are given. Raises `ConfigError`.

    options: texts NAME=VALUE of the command line, or tables of TOML.
    """
    found: dict[str, Any] = {}
    for name in TABLE:
        value = getattr(options, name, None)
        if value is None or value in ([], {}):
            continue
        if TABLE[name] is dict:
            value = value if isinstance(value, Mapping) else dict(_pair(name, text) for text in value)
        found[name] = {k: _looked_up(k, v) for k, v in value.items()} if name in _FROM_ENVIRONMENT else value
    return found


def _pair(name: str, text: str) -> tuple[str, Any]:
    key, found, value = text.partition("=")
    if not (found and key):
        raise ConfigError(f"--{name.replace('_', '-').removesuffix('s')} needs NAME=VALUE, got {key!r:.80}")
    if name != "extra_body":
        return key, value
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value  # a text


def _looked_up(name: str, value: Any) -> Any:
    """What the environment has under a name, so that no key stands in a command or a file."""
    if not isinstance(value, str) or not value.startswith("$"):
        return value
    if value[1:] not in os.environ:
        raise ConfigError(f"{name}: the environment has no {value[1:]!r:.80}")
    return os.environ[value[1:]]
