"""`searchkit serve`: strategies behind the OpenAI API and Anthropic's messages; `searchkit serve-key`: a key for it."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """Give the command line these commands."""
    serve = commands.add_parser("serve", help="strategies behind the OpenAI API; without arguments the embedded model")
    serve.add_argument("config", nargs="?", help="a TOML file of backends, strategies, models, keys and ceilings")
    serve.add_argument("--host", help="where to listen (default: 127.0.0.1; another needs keys)")
    serve.add_argument("--port", type=int, help="where to listen (default: 8000; 0 takes a free one)")
    serve.add_argument("--grace", type=float, help="seconds in which searches may end once it is told to (default: 30)")
    serve.add_argument("--journal", help="a file that keeps what is paid for, for requests with an Idempotency-Key")
    key = commands.add_parser("serve-key", help="make a key for searchkit serve, and the lines for its file")
    key.add_argument("name", help="whose it is")


def serve(options: argparse.Namespace) -> int:
    """Listen until SIGINT or SIGTERM."""
    from searchkit.cli.serve_config import load, read
    from searchkit.engine.journal import Journal
    from searchkit.serving.server import SearchServer
    from searchkit.serving.server import serve as listen

    config = load(Path(options.config)) if options.config else read({})
    said = {key: value for key in ("host", "port", "grace", "journal") if (value := getattr(options, key)) is not None}
    chosen = {**config.options, **said}
    where = {key: chosen.pop(key) for key in ("host", "port", "grace") if key in chosen}
    path = chosen.pop("journal", None)
    with ExitStack() as stack:
        journal = None if path is None else stack.enter_context(Journal(path))
        server = SearchServer(config.models, keys=config.keys, journal=journal, **chosen)

        def ready(url: str) -> None:
            print(f"searchkit listens on {url}/v1 with {', '.join(config.models)}", file=sys.stderr, flush=True)

        listen(server, **where, ready=ready)
    return 0


def make_key(options: argparse.Namespace) -> int:
    """Print a new key, once, and what the server's file needs of it."""
    import json

    from searchkit.serving.server import digest_of, new_key

    key = new_key()
    print(f'{key}\n\n[keys.{json.dumps(options.name)}]\ndigest = "sha256:{digest_of(key)}"')
    return 0
