"""searchkit: inference-time search and reasoning with language models."""

from searchkit.calls import CallError, Request
from searchkit.codec import Codec
from searchkit.engine.journal import Journal
from searchkit.engine.sync import run_sync
from searchkit.errors import (
    BudgetExhausted,
    CapabilityError,
    ConfigError,
    JournalError,
    NeedsPrefix,
    SearchkitError,
    SearchWarning,
    StaleBranch,
    UncertainEffect,
    VerifierError,
)
from searchkit.function import Function
from searchkit.memory import Memory
from searchkit.model import Model
from searchkit.protocols import Backend, Generator, Run, Selector, Verifier
from searchkit.result import Result
from searchkit.searching import Searching, start
from searchkit.solve import solve, solve_many, solve_sync
from searchkit.strategy import Strategy
from searchkit.types import (
    Budget,
    ConfidenceFloor,
    Message,
    Outcome,
    Params,
    Problem,
    Prompt,
    Sample,
    Scored,
    Usage,
    Verdict,
)
from searchkit.wrap import search

__all__ = [
    "Backend",
    "Budget",
    "BudgetExhausted",
    "CallError",
    "CapabilityError",
    "Codec",
    "ConfidenceFloor",
    "ConfigError",
    "Function",
    "Generator",
    "Journal",
    "JournalError",
    "Memory",
    "Message",
    "Model",
    "NeedsPrefix",
    "Outcome",
    "Params",
    "Problem",
    "Prompt",
    "Request",
    "Result",
    "Run",
    "Sample",
    "Scored",
    "SearchWarning",
    "Searching",
    "SearchkitError",
    "Selector",
    "StaleBranch",
    "Strategy",
    "UncertainEffect",
    "Usage",
    "Verdict",
    "Verifier",
    "VerifierError",
    "run_sync",
    "search",
    "solve",
    "solve_many",
    "solve_sync",
    "start",
]
