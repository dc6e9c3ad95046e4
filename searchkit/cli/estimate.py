"""`searchkit estimate`: what a search may cost at most, before anything is paid."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from searchkit.cli import setup
from searchkit.errors import ConfigError
from searchkit.types import Usage


def estimate(options: argparse.Namespace) -> int:
    """Print the worst case of the strategy: nothing is called, no model is loaded."""
    if options.problems < 1:
        raise ConfigError(f"--problems must be >= 1, got {options.problems}")
    most = setup.params(options).max_tokens
    sample = Usage(generations=1, model_calls=1, prompt_tokens=len(options.prompt) // 4, generated_tokens=most or 0)
    strategy = setup.strategy(options)
    one = strategy.worst_case(sample)
    if one is None:
        raise ConfigError(f"{type(strategy).__name__} does not know its worst case: set a Budget instead")
    total = one.times(options.problems)
    usd = None
    if options.usd_per_million and most is not None:
        prompt, generated = options.usd_per_million
        usd = (total.prompt_tokens * prompt + total.generated_tokens * generated) / 1e6
    if options.json:
        shown = asdict(total) | {"usd": usd, "strategy": repr(strategy)}
        if most is None:
            shown["generated_tokens"] = None
        print(json.dumps(shown))
        return 0
    tokens = f"{total.generated_tokens:,}" if most is not None else "no bound (add --max-tokens)"
    print(f"{strategy!r}\nat most, for {options.problems} problem(s):")
    rows = [("generations", f"{total.generations:,}"), ("model calls", f"{total.model_calls:,}"),
            ("verifications", f"{total.verifications:,}"), ("generated tokens", tokens)]  # fmt: skip
    if options.prompt:
        rows.append(("prompt tokens", f"about {total.prompt_tokens:,}"))
    if usd is not None:
        rows.append(("usd", f"{usd:,.2f}"))
    print("\n".join(f"  {name:<17} {text}" for name, text in rows))
    return 0
