"""One sample and its verdict: what strategies draw that choose among whole answers."""

from __future__ import annotations

from searchkit.errors import BudgetExhausted, ConfigError
from searchkit.protocols import Generator, Run, Verifier
from searchkit.types import Prompt, Scored, Verdict


async def drawn(generator: Generator | None, verifier: Verifier, prompt: Prompt, index: int, run: Run) -> Scored:
    """Sample number `index` of `prompt`, judged; where the verifier fails, kept without a score: it is paid for."""
    [sample] = await run.sample(generator, prompt, start=index)
    try:
        [scored] = await run.score(verifier, prompt, [sample])
    except (BudgetExhausted, ConfigError):
        raise
    except Exception as error:
        run.fail(error)
        return Scored(sample, Verdict(feedback=f"not verified: {error}"))
    return scored
