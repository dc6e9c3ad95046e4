"""`searchkit serve`: strategies behind the OpenAI API and Anthropic's messages; `searchkit serve-key`: a key for it."""

from __future__ import annotations

import argparse
import json
import math
import socket
import sys
import tempfile
import warnings
from collections.abc import Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from searchkit.errors import ConfigError, SearchWarning

if TYPE_CHECKING:
    from searchkit.cli.serve_config import Config

OPTIONS = ("host", "port", "grace", "journal", "accounts", "workers")
GRACE = 30.0


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
    serve.add_argument("--workers", type=int, help="processes (default: 1); each has a journal of its own")
    key = commands.add_parser("serve-key", help="make a key for searchkit serve, and the lines for its file")
    key.add_argument("name", help="whose it is")


def serve(options: argparse.Namespace) -> int:
    """Listen until SIGINT or SIGTERM."""
    from searchkit.serving.server.guarding import check_bind
    from searchkit.serving.server.running import bound, url_of
    from searchkit.serving.server.workers import run

    config, chosen = _read(options)
    host, port, workers = chosen.pop("host", "127.0.0.1"), chosen.pop("port", 8000), chosen.pop("workers", 1)
    if workers < 1:
        raise ConfigError(f"a server needs workers >= 1, got {workers}")
    if not 0 <= chosen.get("grace", GRACE) < math.inf:
        raise ConfigError(f"a server needs a finite grace >= 0, in seconds, got {chosen['grace']}")
    check_bind(host, bool(config.keys))
    with ExitStack() as stack:
        if "accounts" not in chosen and not any(list(key.budget.ceilings()) for key in config.keys):
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="searchkit-"))
            chosen["accounts"] = f"{folder}/accounts.db"  # what was answered is known as long as it runs
        listening = stack.enter_context(closing(bound(host, port)))
        listening.listen(2048)
        said = f"searchkit listens on {url_of(listening)}/v1 with {', '.join(config.models)}"
        if workers == 1:
            _work(None, options, chosen, listening, said)
        else:
            print(said, file=sys.stderr, flush=True)
            run(_work, (options, chosen, listening, ""), workers, chosen.get("grace", GRACE))
    return 0


def _read(options: argparse.Namespace) -> tuple[Config, dict[str, Any]]:
    """The file, and what it and the command line say of the server."""
    from searchkit.cli.serve_config import load, read

    config = load(Path(options.config)) if options.config else read({})
    said = {key: value for key in OPTIONS if (value := getattr(options, key)) is not None}
    return config, {**config.options, **said}


def _work(
    number: int | None, options: argparse.Namespace, chosen: dict[str, Any], listening: socket.socket, said: str
) -> None:
    """One process that serves. number: among several. said: once it listens."""
    from searchkit.engine.journal import Journal
    from searchkit.serving import Shared
    from searchkit.serving.server import SearchServer
    from searchkit.serving.server.running import listen

    warnings.simplefilter("ignore", SearchWarning)  # each answer says how many of its calls failed
    rest = dict(chosen)
    grace, accounts, journal = (rest.pop(key, None) for key in ("grace", "accounts", "journal"))
    with ExitStack() as stack:
        shared = None if accounts is None else stack.enter_context(Shared(accounts))
        if journal is not None:
            rest["journal"] = stack.enter_context(Journal(journal if number is None else f"{journal}-{number}"))
        config, _ = _read(options)
        server = SearchServer(config.models, keys=config.keys, log=_log, shared=shared, **rest)
        ready = (lambda: print(said, file=sys.stderr, flush=True)) if said else None
        listen(server, listening, GRACE if grace is None else grace, ready)


def _log(said: Mapping[str, Any]) -> None:
    """A line of JSON for each request: ASCII alone, so that no terminal obeys it."""
    sys.stderr.write(f"{json.dumps(said)}\n")  # at once, or the lines of several workers run into each other
    sys.stderr.flush()


def make_key(options: argparse.Namespace) -> int:
    """Print a new key, once, and what the server's file needs of it."""
    from searchkit.serving.server import digest_of, new_key

    key = new_key()
    print(f'{key}\n\n[keys.{json.dumps(options.name)}]\ndigest = "sha256:{digest_of(key)}"')
    return 0
