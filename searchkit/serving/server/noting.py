"""What is written down of a request: who, what of, how it ended and what it cost, and nothing of what was said."""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping
from typing import Any

from searchkit.calls import CallError
from searchkit.serving.server.exchange import Exchange


def model_of(exchange: Exchange) -> str:
    """The model that was asked, in the operator's words; "" where there was none."""
    return "" if exchange.asked is None else exchange.asked.model


def line(exchange: Exchange, status: int) -> Mapping[str, Any]:
    """What a log says of a request."""
    usage, asked = exchange.spent, exchange.asked
    said: dict[str, Any] = {
        "time": round(time.time(), 3),
        "run": exchange.id,
        "key": None if exchange.key is None else exchange.key.name,
        "route": exchange.route,
        "model": model_of(exchange),
        "strategy": None if asked is None else asked.name,
        "status": status,
        "seconds": round(time.perf_counter() - exchange.began, 4),
        "generations": usage.generations,
        "prompt_tokens": usage.prompt_tokens,
        "generated_tokens": usage.generated_tokens,
    }
    return said if exchange.failure is None else {**said, "failure": _place(exchange.failure)}


def _place(error: BaseException) -> str:
    """The type of an error, and where it was raised. Its message may quote what a client or a model said."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""
    kind = f" ({error.kind})" if isinstance(error, CallError) else ""
    return f"{type(error).__name__}{kind}{where}"
