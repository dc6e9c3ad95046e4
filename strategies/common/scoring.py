"""Verdicts on what is paid for already: where they cannot be had, it is kept without them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from searchkit.errors import ConfigError
from searchkit.protocols import Run, Verifier
from searchkit.types import Prompt, Sample, Scored


async def scored_together(
    verifier: Verifier, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run, *, partial: bool = False
) -> list[Scored] | None:
    """The samples with their verdicts, under a span of their own; None where they could not be judged.

    A failure is recorded, a mistake (`ConfigError`) raised. partial: no answers yet.
    """
    try:
        with run.child("judged") as judging:
            return await judging.score(verifier, prompt, samples, partial=partial) if samples else []
    except ConfigError:
        raise
    except Exception as error:
        run.note_failure(error)
        run.fail(error)
        return None
