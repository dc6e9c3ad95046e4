"""`searchkit pool`: logs of other tools as pools, with their curves, and pools and sweeps as theirs."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from searchkit.errors import ConfigError

if TYPE_CHECKING:
    from searchkit.experiments.estimators.curves import Curve, Name
    from searchkit.logs import How, Imported

PASS: Name = "pass@k"
BEST: Name = "best@k"
MOST_VOTES = 20_000_000
LEFT_OUT = "maj@k is left out, which takes long for so many samples: Pool.load(FILE).curve('maj@k', [1, 2, 4, 8])"


def add(commands: Any) -> None:
    """The command's options."""
    command = commands.add_parser("pool", help="logs of other tools in, as a pool of samples with its curves, and out")
    actions = command.add_subparsers(dest="action", required=True, metavar="ACTION")
    taking = actions.add_parser("import", help="read a log, write a pool, print its curves")
    taking.add_argument("log", metavar="LOG", nargs="+", help="files, or folders of them: of one task and one model")
    taking.add_argument(
        "--out", metavar="FILE", default="pool.jsonl", help="the pool's new file (default: %(default)s)"
    )
    taking.add_argument("--form", help="what wrote it; 'list' prints all (default: by how the file begins)")
    taking.add_argument(
        "--correct", metavar="SCORE", help="which of its scores says what is right (default: the first)"
    )
    taking.add_argument("--score", metavar="SCORE", help="which of its scores best@k goes by (default: none)")
    taking.add_argument(
        "--threshold", type=float, default=1.0, metavar="X", help="a score from which on it is right (default: 1)"
    )
    taking.add_argument("--truth", help="a verifier that judges each sample anew, such as exact or MathEqual, by the "
                        "log's references or those of --problems")  # fmt: skip
    taking.add_argument("--key", help="finds answers to vote on, such as boxed (default: the log's own answers)")
    taking.add_argument("--filter", help="of lm-evaluation-harness: whose rows count (default: that of the first row)")
    taking.add_argument(
        "--problem", metavar="REGEX", help="finds the problem's id in a batch's custom_id, as '(.*)-[0-9]+'"
    )
    taking.add_argument("--field", action="append", default=[], metavar="NAME=FIELD", help="of JSON lines: what they "
                        "call value, problem, correct, score, key and others; repeatable")  # fmt: skip
    taking.add_argument("--problems", metavar="FILE", help="JSON lines with id, prompt and reference, for --truth")
    taking.add_argument("--usd-per-million", type=float, nargs=2, default=(0.0, 0.0), metavar=("PROMPT", "GENERATED"),
                        help="prices, where the log has none")  # fmt: skip
    taking.add_argument(
        "--save-problems", metavar="FILE", help="write the log's problems, as searchkit export takes them"
    )
    taking.add_argument("--plot", metavar="FILE", help="draw the curves as PNG")
    taking.add_argument("--json", action="store_true", help="print what came of it as JSON")
    giving = actions.add_parser("export", help="write a pool, or a sweep, for another tool")
    giving.add_argument("source", metavar="SOURCE", help="a pool's file, or a finished sweep's folder")
    giving.add_argument("--as", dest="form", default="inspect", metavar="FORM", help="what reads it; 'list' prints all "
                        "(default: %(default)s)")  # fmt: skip
    giving.add_argument("--out", metavar="PATH", help="a file, or a folder (default: by the source's name)")
    giving.add_argument("--problems", metavar="FILE", help="JSON lines with id, prompt and reference, which it lacks")
    giving.add_argument("--model", default="", help="of a pool: which model wrote it")
    giving.add_argument("--json", action="store_true", help="print what was written as JSON")


def pool(options: argparse.Namespace) -> int:
    """Import or export, and print what came of it."""
    if options.form == "list":
        from searchkit.logs import READERS, WRITERS

        about = {name: one.ABOUT for name, one in READERS.items()} if options.action == "import" else WRITERS
        print(*(f"{name:14} {line}" for name, line in about.items()), sep="\n")
        return 0
    return _export(options) if options.action == "export" else _import(options)


def _export(options: argparse.Namespace) -> int:
    from searchkit.cli.export import problems
    from searchkit.logs import write_log

    given = list(problems(options.problems))
    name = Path(options.source).resolve().name.removesuffix(".jsonl")
    folder = Path(options.source).is_dir()
    endings = {"inspect": "-logs" if folder else ".eval", "csv": ".csv", "parquet": ".parquet", "wandb": "-wandb"}
    out = options.out or (
        "sqlite:///mlflow.db" if options.form == "mlflow" else f"{name}{endings.get(options.form, '')}"
    )
    written = write_log(options.source, out, options.form, problems=given, model=options.model)
    print(json.dumps([str(path) for path in written]) if options.json else "\n".join(map(str, written)))
    return 0


def _import(options: argparse.Namespace) -> int:
    target = Path(options.out)
    for path in filter(None, (options.out, options.save_problems)):
        if Path(path).exists():
            raise ConfigError(f"{path} is there already: choose another path, or delete it")
    if not target.absolute().parent.is_dir():
        raise ConfigError(f"--out {options.out}: there is no such folder")
    done = _imported(options, _how(options))
    curves = _curves(done)
    if options.plot:
        from searchkit.experiments.plots import save

        save(curves, options.plot)
    print(_json(options, done, curves) if options.json else _text(options, done, curves))
    return 0


def _how(options: argparse.Namespace) -> How:
    from searchkit.cli import names
    from searchkit.logs import FieldNames, How

    key = None if options.key is None else names.value(options.key)
    if key is not None and not callable(key):
        raise ConfigError(f"--key {options.key!r} is no key{names.meant(options.key, names.known())}")
    return How(
        correct=options.correct, score=options.score, threshold=options.threshold, key=key, filter=options.filter,
        problem=options.problem, prices=tuple(options.usd_per_million), fields=FieldNames.of(options.field),
    )  # fmt: skip


def _imported(options: argparse.Namespace, how: How) -> Imported:
    """What was read, and is written. All of it is in memory only where a truth has to see it."""
    from searchkit.logs import import_log, read_log

    shown = not options.json and sys.stderr.isatty()
    if options.truth is None and options.save_problems is None:
        return import_log(options.log, options.out, options.form, how=how, progress=shown)
    done = read_log(options.log, options.form, how=how, progress=shown)
    if options.truth is not None:
        done = _judged(done, options)
    done.pool.save(options.out)
    if options.save_problems is not None:
        _save(done, options.save_problems)
    return done


def _judged(done: Imported, options: argparse.Namespace) -> Imported:
    from dataclasses import replace

    from searchkit.cli import setup
    from searchkit.cli.export import problems
    from searchkit.engine.sync import run_sync
    from searchkit.experiments.pool.judging_again import judge_again
    from searchkit.logs.lm_eval import UNJUDGED

    sys.path.insert(0, os.getcwd())  # where a user's own module:function is looked for, as with python -m
    given = {one.id: one for one in (*done.problems, *problems(options.problems))}
    pool, _ = run_sync(judge_again(done.pool, given.values(), setup.named(options.truth)))
    return replace(done, pool=pool, notes={note: n for note, n in done.notes.items() if note != UNJUDGED})


def _save(done: Imported, name: str) -> None:
    from searchkit.experiments.sweep.rows import whole

    lines = ({"id": p.id, "prompt": p.prompt.text, "reference": p.reference} for p in done.problems)
    whole(Path(name), (json.dumps(line) for line in lines))


def _curves(done: Imported) -> tuple[Curve, ...]:
    """Those that the log allows, and that do not take long; none where nothing is known to be right or wrong."""
    if all(entry.unknown for _, entry in done.pool.samples()):
        return ()
    if not _many(done):
        return done.pool.curves()
    scored = any(entry.score is not None for _, entry in done.pool.samples())
    return tuple(done.pool.curve(name) for name in (PASS, BEST) if name == PASS or scored)


def _many(done: Imported) -> bool:
    """Whether exact votes of all samples would take minutes: their cost grows by the square of a problem's samples."""
    voting = any(entry.key is not None for _, entry in done.pool.samples())
    return voting and sum(len(column) ** 2 for column in done.pool.entries.values()) > MOST_VOTES


def _text(options: argparse.Namespace, done: Imported, curves: tuple[Curve, ...]) -> str:
    from searchkit.experiments.estimators.curves import table

    lines = [f"{options.out}: {done}"]
    if curves:
        lines += ["", table(curves), *([LEFT_OUT] if _many(done) else [])]
    else:
        lines.append("nothing is known to be right or wrong: judge the samples, --truth MathEqual")
    if options.plot and curves:
        lines.append(options.plot)
    return "\n".join(lines)


def _json(options: argparse.Namespace, done: Imported, curves: tuple[Curve, ...]) -> str:
    entries = [entry for _, entry in done.pool.samples()]
    return json.dumps({
        "out": options.out, "form": done.form, "model": done.model, "problems": len(done.pool), "samples": len(entries),
        "correct": sum(e.correct for e in entries), "unknown": sum(e.unknown for e in entries),
        "failed": sum(e.finish == "error" for e in entries), "figures": done.figures, "left_out": done.left_out,
        "notes": done.notes, "curves": [json.loads(curve.to_json()) for curve in curves],
    })  # fmt: skip
