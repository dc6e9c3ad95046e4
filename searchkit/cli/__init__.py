"""The command line: `searchkit demo`, `solve`, `estimate`, `sweep`, `rejudge`, `compare`, `plot`, `report`, `serve`,
`export`, `pool`, `journal`, `schema` and `completion`.

One command a file: `demo.py`, `solve.py`, `estimate.py`, `sweep.py`, `rejudge.py`, `compare.py`, `plot.py`,
`report.py`, `serve.py`, `export.py`, `pool.py`, `journal.py`, and `schema.py`, which tells editors and shells what to
complete; `parsing.py` is the parser that suggests what was meant. A sweep's file is read by `sweep_config.py`, its
problems by `sweep_problems.py`, models by `models.py`, a server's file by `serve_config.py`; `tables.py` derives what a
table may hold from what is made of it; `preflight.py` asks the servers before a sweep starts. `setup.py` is what
commands share, `server.py` what is sent to a server besides, `names.py` reads values of parameters without evaluating
them, `wording.py` words errors.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Sequence

from searchkit.cli import compare, export, journal, plot, pool, rejudge, report, schema, serve, server, sweep
from searchkit.cli.parsing import Parser
from searchkit.cli.wording import in_toml, worded
from searchkit.errors import SearchkitError
from searchkit.kinds import printable
from searchkit.redact import redact

FROM_FILES = ("sweep", "rejudge", "report", "serve")  # commands that are told by a TOML file what to do
EPILOG = """examples:
  searchkit demo
  searchkit solve '4 13 16 19>51' --strategy best-of-n -p n=64
  searchkit solve '4 13 16 19>51' --strategy self-consistency -p n=40 --json
  searchkit solve 'Is 91 prime?' --backend http://localhost:8000/v1 --model NAME
  searchkit estimate --strategy best-of-n -p n=64 --max-tokens 512
  searchkit sweep config.toml
  searchkit rejudge results judged.toml
  searchkit compare results:best results:vote
  searchkit plot results
  searchkit report config.toml
  searchkit serve
  searchkit export results/ --as trl-dpo --out pairs.jsonl
  searchkit pool import logs/run.eval
  searchkit journal show run.db

exit codes: 0 done; 1 failed, or a damaged journal; 2 a mistake in the
arguments; 130 interrupted; 141 nobody reads on
"""


def parser() -> Parser:
    main = Parser(
        prog="searchkit",
        description="Inference-time search with language models.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    main.add_argument("--version", action="version", version=_version())
    commands = main.add_subparsers(dest="command", required=True, metavar="COMMAND")
    demo = commands.add_parser("demo", help="a test-time-compute curve on the embedded model, offline, in a minute")
    demo.add_argument("--problems", type=int, default=40, help="held-out Countdown problems (default: 40)")
    demo.add_argument("--samples", type=int, default=64, help="samples a problem (default: 64)")
    demo.add_argument("--seed", type=int, default=0, help="of the samples (default: 0)")
    demo.add_argument("--out", default="searchkit-demo.png", help="where the curve is drawn (default: %(default)s)")
    demo.add_argument("--json", action="store_true", help="print the figures as JSON")
    solve = commands.add_parser("solve", help="one prompt, any backend, any strategy")
    solve.add_argument("prompt", help="the prompt; for the embedded model a Countdown puzzle such as '4 13 16 19>51'")
    _search_options(solve)
    ceilings = "generations, verifications, model_calls, generated_tokens, total_tokens, usd or seconds"
    solve.add_argument("--budget", action="append", default=[], metavar="CEILING=N", help=f"a ceiling on {ceilings}")
    solve.add_argument("--journal", help="a file that makes the search resumable (default: one in the cache folder)")
    solve.add_argument("--trace", action="store_true", help="print the whole trace as text")
    solve.add_argument("--watch", action="store_true", help="show the search on stderr, terminal or not")
    solve.add_argument("--tree", metavar="FILE", help="save the search tree as an HTML page")
    solve.add_argument("--json", action="store_true", help="print the result as JSON")
    estimate = commands.add_parser("estimate", help="worst-case calls and tokens, before anything is paid")
    estimate.add_argument(
        "prompt", nargs="?", default="", help="the prompt, to count its tokens (4 characters a token)"
    )
    _search_options(estimate)
    estimate.add_argument("--problems", type=int, default=1, help="how many such problems (default: 1)")
    estimate.add_argument("--usd-per-million", type=float, nargs=2, metavar=("PROMPT", "GENERATED"), help="prices")
    estimate.add_argument("--json", action="store_true", help="print the estimate as JSON")
    for command in (sweep, rejudge, compare, plot, report, serve, export, pool, journal, schema):
        command.add(commands)
    return main


def _search_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--backend",
        default="embedded",
        help="'embedded' (default) or a server's URL, up to /v1; URL,URL for several of one model",
    )
    command.add_argument("--model", help="the server's name of it; embedded: countdown (default), arithmetic")
    command.add_argument("--route", choices=("chat", "completions"), default="chat", help="of a server (default: chat)")
    command.add_argument(
        "--coalesce",
        action="store_true",
        help="ask a server that can for several samples in one call, which share a seed",
    )
    server.add(command)
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="any other key of a sweep's table [model], such as top_k=20, timeout=60 or prices={...}; repeatable",
    )
    command.add_argument("--strategy", default="best-of-n", help="by name (default: best-of-n)")
    example = "a parameter of the strategy, such as n=16, stop=BetaStopping(0.9) or key=boxed; repeatable"
    command.add_argument("-p", "--parameter", action="append", default=[], metavar="FIELD=VALUE", help=example)
    command.add_argument(
        "--verifier",
        help="countdown, process-reward, exact (with --reference), judge ..., a call such as 'Judge(samples=4)', "
        "or your own as module:function",
    )
    command.add_argument("--reference", help="the known answer, for --verifier exact")
    command.add_argument("--temperature", type=float, default=1.0, help="0 is greedy (default: 1.0)")
    command.add_argument("--top-p", type=float, default=1.0, help="in (0, 1] (default: 1.0)")
    command.add_argument("--max-tokens", type=int, help="generated tokens of a sample (default: the model's limit)")
    command.add_argument("--seed", type=int, default=0, help="from which all seeds of the search derive (default: 0)")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code.

    0 done, 1 failed, 2 a mistake in the arguments, 130 interrupted, 141 where nobody reads on.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    options = parser().parse(arguments)
    try:
        code = _run(options, arguments)
        sys.stdout.flush()
        return code
    except SearchkitError as error:
        text = printable(redact(str(error)))
        said = in_toml(text) if options.command in FROM_FILES else worded(text)
        print(f"searchkit: {said}", file=sys.stderr)
        return 2 if isinstance(error, ValueError) else 1
    except BrokenPipeError:  # whoever read it, head say, has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python would say so at its end
        return 141
    except KeyboardInterrupt:
        print("\nsearchkit: interrupted", file=sys.stderr)
        return 130


def _run(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    if options.command == "demo":
        from searchkit.cli.demo import demo

        return demo(options, _again(arguments))
    if options.command == "solve":
        from searchkit.cli.solve import solve

        return solve(options, _again(arguments))
    if options.command == "estimate":
        from searchkit.cli.estimate import estimate

        return estimate(options)
    if options.command == "sweep":
        return sweep.sweep(options, _again(arguments))
    if options.command == "completion":
        return schema.completion(parser(), options.shell)
    commands: dict[str, Callable[[argparse.Namespace], int]] = {
        "rejudge": rejudge.rejudge, "compare": compare.compare, "plot": plot.plot, "report": report.report,
        "serve": serve.serve, "serve-key": serve.make_key, "export": export.export, "pool": pool.pool,
        "journal": journal.journal, "schema": lambda _: schema.schema(),
    }  # fmt: skip
    return commands[options.command](options)


def _again(arguments: Sequence[str]) -> str:
    """The command line that was typed."""
    return shlex.join(["searchkit", *arguments])


def _version() -> str:
    from importlib.metadata import version

    return f"searchkit {version('searchkit')}"
