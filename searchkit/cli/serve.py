"""`searchkit serve`: strategies behind the OpenAI API and Anthropic's messages; `searchkit serve-key`: a key for it."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from searchkit.cli.serve_config import Config


def add(commands: Any) -> None:
    """Give the command line these commands."""
    serve = commands.add_parser("serve", help="strategies behind the OpenAI API; without arguments the embedded model")
    serve.add_argument("config", nargs="?", help="a TOML file of backends, strategies, models, keys and ceilings")
    serve.add_argument("--host", help="where to listen (default: 127.0.0.1; another needs keys)")
    serve.add_argument("--port", type=int, help="where to listen (default: 8000; 0 takes a free one)")
    serve.add_argument("--grace", type=float, help="seconds in which searches may end once it is told to (default: 30)")
    serve.add_argument(
        "--accounts", metavar="FILE", help="what keys have spent, and what was answered, for all workers"
    )
    serve.add_argument("--journal", metavar="FILE", help="what is paid for by requests with an Idempotency-Key")
    key = commands.add_parser("serve-key", help="make a key for searchkit serve, and the lines for its file")
    key.add_argument("name", help="whose it is")


def serve(options: argparse.Namespace) -> int:
    """Listen until SIGINT or SIGTERM."""
    from searchkit.cli.serve_config import load, read
    from searchkit.serving.server import SearchServer
    from searchkit.serving.server import serve as listen

    config = load(Path(options.config)) if options.config else read({})
    names = ("host", "port", "grace", "journal", "accounts")
    said = {key: value for key in names if (value := getattr(options, key)) is not None}
    chosen = {**config.options, **said}
    where = {key: chosen.pop(key) for key in ("host", "port", "grace") if key in chosen}
    with ExitStack() as stack:
        files = _opened(chosen.pop("accounts", None), chosen.pop("journal", None), config, stack)
        server = SearchServer(config.models, keys=config.keys, log=_log, **files, **chosen)

        def ready(url: str) -> None:
            print(f"searchkit listens on {url}/v1 with {', '.join(config.models)}", file=sys.stderr, flush=True)

        listen(server, **where, ready=ready)
    return 0


def _opened(accounts: str | None, journal: str | None, config: Config, stack: ExitStack) -> dict[str, Any]:
    """The files of a server. Without one for accounts, what was answered is kept as long as it runs."""
    from searchkit.engine.journal import Journal
    from searchkit.serving import Shared

    bounded = any(list(key.budget.ceilings()) for key in config.keys)
    if accounts is None and not bounded:
        accounts = f"{stack.enter_context(tempfile.TemporaryDirectory(prefix='searchkit-'))}/accounts.db"
    return {
        "shared": None if accounts is None else stack.enter_context(Shared(accounts)),
        "journal": None if journal is None else stack.enter_context(Journal(journal)),
    }


def _log(said: Mapping[str, Any]) -> None:
    """A line of JSON for each request: ASCII alone, so that no terminal obeys it."""
    print(json.dumps(said), file=sys.stderr, flush=True)


def make_key(options: argparse.Namespace) -> int:
    """Print a new key, once, and what the server's file needs of it."""
    from searchkit.serving.server import digest_of, new_key

    key = new_key()
    print(f'{key}\n\n[keys.{json.dumps(options.name)}]\ndigest = "sha256:{digest_of(key)}"')
    return 0
