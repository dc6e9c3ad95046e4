"""How inference servers differ where a client notices, and the faults that a test server can be told to commit.

The table follows released sources and documentation of vLLM 0.33, SGLang 0.5.23, llama.cpp's server, Ollama and the
hosted OpenAI API. It is an imitation for tests, not a specification: check a real server with `OpenAI.probe`.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from searchkit.errors import ConfigError

FAULTS = ("rate_limit", "server", "reset", "truncated", "hang")


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of server. Replace single fields (`dataclasses.replace`) to imitate a differently started one.

    n: "seeds" gives child i of a request seed + i, "same" gives all children one seed, "ignored" makes one choice.
    keeps_stop: the request field that keeps the stop text in the answer. names_stop: the response field that says which
    stop fired. continues: whether a trailing assistant message is continued "always", when the "flag"
    continue_final_message is set, or "never". bare_turn: what such a message becomes without the flag. counts_along:
    the events of a stream have the usage so far if asked (continuous_usage_stats). parallel: requests served at a time,
    queue: requests that may wait for that before the server answers 503; None: no limit.
    """

    name: str
    n: Literal["seeds", "same", "ignored"] = "seeds"
    keeps_stop: str | None = None
    names_stop: str | None = None
    continues: Literal["always", "flag", "never"] = "flag"
    bare_turn: Literal["assistant", "user"] = "assistant"
    refuses_both_flags: bool = False
    refuses_unknown: bool = False
    refuses_top_k_zero: bool = False
    checks_model: bool = True
    reports_cached: bool = False
    logprobs: bool = True
    reasoning_field: str = "reasoning_content"
    error: Literal["nested", "flat"] = "nested"
    defaults: Mapping[str, Any] = field(default_factory=dict)
    counts_along: bool = False
    parallel: int | None = None
    queue: int | None = None


PROFILES: Mapping[str, Profile] = {
    p.name: p
    for p in (
        Profile(
            "vllm",
            keeps_stop="include_stop_str_in_output",
            names_stop="stop_reason",
            refuses_both_flags=True,
            reasoning_field="reasoning",
            counts_along=True,
        ),
        Profile(
            "sglang",
            n="same",
            keeps_stop="no_stop_trim",
            names_stop="matched_stop",
            bare_turn="user",
            refuses_top_k_zero=True,
            checks_model=False,
            error="flat",
        ),
        Profile(
            "llama.cpp",
            n="ignored",
            continues="always",
            checks_model=False,
            reports_cached=True,
            defaults={"temperature": 0.8, "top_k": 40, "top_p": 0.95, "min_p": 0.05},
        ),
        Profile("ollama", n="ignored", continues="never", reasoning_field="reasoning", parallel=1, queue=512),
        Profile("openai", continues="never", reports_cached=True, refuses_unknown=True),
    )
}


def profile_of(profile: str | Profile) -> Profile:
    """The profile of that name; `ConfigError` lists the names if there is none."""
    if isinstance(profile, Profile):
        return profile
    if profile not in PROFILES:
        raise ConfigError(f"unknown server profile {profile!r}; choose from {', '.join(PROFILES)}")
    return PROFILES[profile]


@dataclass(frozen=True, slots=True)
class Faults:
    """Which requests go wrong: each with probability `rate`, in a way drawn from `kinds`.

    Kinds: "rate_limit" (429 with Retry-After of `retry_after` seconds), "server" (500), "reset" (the connection),
    "truncated" (half of the JSON), "hang" (no answer until the client leaves). The choice depends on `seed` and the
    request's arrival number alone, so equal request sequences meet equal faults.
    """

    rate: float
    kinds: tuple[str, ...] = FAULTS
    seed: int = 0
    retry_after: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.rate <= 1:
            raise ConfigError(f"the fault rate must be in [0, 1], got {self.rate}")
        if not self.kinds or (unknown := set(self.kinds) - set(FAULTS)):
            raise ConfigError(f"fault kinds must be among {', '.join(FAULTS)}, got {unknown if self.kinds else 'none'}")

    def draw(self, arrival: int) -> str | None:
        """What happens to the request that arrived as number `arrival` (from 0); None: it is served."""
        rng = random.Random(f"{self.seed}/{arrival}")
        return rng.choice(self.kinds) if rng.random() < self.rate else None
