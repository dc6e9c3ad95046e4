"""`searchkit solve`: one prompt, any backend, any strategy."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

from searchkit.cli import setup
from searchkit.cli.wording import worded
from searchkit.errors import ConfigError
from searchkit.kinds import printable
from searchkit.result import Result
from searchkit.solve import solve_sync
from searchkit.types import Prompt
from searchkit.views import Live, save
from searchkit.views.screens import is_terminal


def solve(options: argparse.Namespace, command: str) -> int:
    """Search, print the answer; interrupted, print the best so far and the command that resumes."""
    model, strategy, budget = setup.generator(options), setup.strategy(options), setup.budget(options.budget)
    prompt = Prompt.of(options.prompt)
    prompt = setup.lined(prompt) if options.backend == "embedded" else prompt
    journal = Path(options.journal) if options.journal else setup.cached_journal(command)
    shown = options.watch or (is_terminal(sys.stderr) and not options.json)
    with Live(sys.stderr) if shown else nullcontext() as live:
        result = solve_sync(
            prompt, strategy, generator=model, budget=budget, seed=options.seed, journal=journal, listen=live
        )
    interrupted = result.stopped == "cancelled"
    if not options.journal and not interrupted:
        setup.forget(journal)
    print(json.dumps(as_json(result)) if options.json else as_text(result, trace=options.trace))
    if options.tree:
        _save(result, options.tree)
    if interrupted:
        print(f"interrupted: this is the best so far. The same command goes on:\n  {command}", file=sys.stderr)
        return 130
    return 0


def _save(result: Result[Any], path: str) -> None:
    """What goes wrong here must not cost the result: it is printed already."""
    try:
        if result.tree is None:
            raise ConfigError(f"{result.trace.children[0].name} grows no tree")
        save(result.tree, path)
        print(f"the tree of {len(result.tree)} nodes is in {path}", file=sys.stderr)
    except (ConfigError, OSError) as error:
        print(f"no tree was saved: {error}", file=sys.stderr)


def as_json(result: Result[Any]) -> dict[str, Any]:
    """Everything but the trace, JSON-compatible."""
    return {
        "answer": result.sample.text,
        "stopped": result.stopped,
        "candidates": [
            {"text": c.sample.text, "score": c.score, "finish": c.sample.finish, "feedback": c.verdict.feedback}
            for c in result.candidates
        ],
        "errors": [f"{type(e).__name__}: {e}" for e in result.errors],
        "usage": asdict(result.usage),
        "paid": asdict(result.paid),
        "sequential_tokens": result.sequential_tokens,
        "wall_s": result.wall_s,
        "overshoot": dict(result.overshoot),
        "left_out": list(result.left_out),
        "oracle": list(result.oracle),
        "abandoned": result.abandoned,
    }


def as_text(result: Result[Any], *, trace: bool) -> str:
    """The answer, then one line on how it came about; the trace before it if asked for."""
    scores = [c.score for c in result.candidates if c.score is not None]
    best = f", best score {max(scores):g}" if scores else ""
    usage = result.usage
    summary = (
        f"[{result.stopped}: {len(result.candidates)} candidates{best}; {usage.model_calls} calls, "
        f"{usage.generated_tokens} generated tokens, {usage.verifications} verifications, {result.wall_s:.2f} s]"
    )
    failures = [f"! {type(e).__name__}: {worded(str(e))}" for e in result.errors[:5]]
    if result.left_out:
        failures.append(f"! left out of requests, since the server refuses them: {', '.join(result.left_out)}")
    if result.oracle:
        failures.append(f"! a verifier saw the reference: {', '.join(result.oracle)}")
    shown = [result.trace.render(), ""] if trace else []
    return "\n".join([*shown, printable(result.sample.text.rstrip()), *failures, summary])
