"""Generators: what proposes an answer. Backends that ask a model, wrappers around them, and answers known beforehand.

`openai/` speaks to any server with the OpenAI API, `embedded/` holds the small model that ships with searchkit, and
`vllm.py` and `transformers.py` run one in this process. `simulated.py` and `recorded.py` need no model, and
`pooling.py` asks a reward model on a server. `program_answer.py` runs the programs that another generator writes, whose
answers are what they compute. `wrappers/` retry, limit, share, keep and spread the calls of any backend; several
calls at once come back in order by `in_order.py`. `searchkit.Model` makes a generator of a backend, and
`searchkit.Function` one of any callable.

A name is imported from its module when it is asked for: a program loads the backends that it uses.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from searchkit.generators.embedded.backend import Embedded
    from searchkit.generators.embedded.checkpoint import shipped
    from searchkit.generators.in_order import each
    from searchkit.generators.openai.backend import OpenAI
    from searchkit.generators.openai.preflight import Ready, preflight
    from searchkit.generators.openai.probe import Capabilities
    from searchkit.generators.pooling import Pooling
    from searchkit.generators.program_answer import ProgramAnswer
    from searchkit.generators.recorded import Recorded
    from searchkit.generators.simulated import Simulated
    from searchkit.generators.transformers import Transformers
    from searchkit.generators.vllm import VLLM
    from searchkit.generators.wrappers.balanced import Balanced
    from searchkit.generators.wrappers.cached import Cached
    from searchkit.generators.wrappers.coalescing import Coalescing
    from searchkit.generators.wrappers.limited import Limited
    from searchkit.generators.wrappers.retrying import Retrying
    from searchkit.wire.usage import Price
else:  # a type checker that saw a `__getattr__` would believe in every name
    import difflib
    import importlib

    _MODULES = {
        "VLLM": "searchkit.generators.vllm",
        "Balanced": "searchkit.generators.wrappers.balanced",
        "Cached": "searchkit.generators.wrappers.cached",
        "Capabilities": "searchkit.generators.openai.probe",
        "Coalescing": "searchkit.generators.wrappers.coalescing",
        "Embedded": "searchkit.generators.embedded.backend",
        "Limited": "searchkit.generators.wrappers.limited",
        "OpenAI": "searchkit.generators.openai.backend",
        "Pooling": "searchkit.generators.pooling",
        "Price": "searchkit.wire.usage",
        "ProgramAnswer": "searchkit.generators.program_answer",
        "Ready": "searchkit.generators.openai.preflight",
        "Recorded": "searchkit.generators.recorded",
        "Retrying": "searchkit.generators.wrappers.retrying",
        "Simulated": "searchkit.generators.simulated",
        "Transformers": "searchkit.generators.transformers",
        "each": "searchkit.generators.in_order",
        "preflight": "searchkit.generators.openai.preflight",
        "shipped": "searchkit.generators.embedded.checkpoint",
    }

    def __getattr__(name):
        if name in _MODULES:
            return getattr(importlib.import_module(_MODULES[name]), name)
        close = difflib.get_close_matches(name, _MODULES, 1)
        hint = f": did you mean {close[0]!r}?" if close else ""
        # No submodule has a capital; and of an AttributeError, `from searchkit.generators import` drops the sentence.
        error = ImportError if close and name[0].isupper() else AttributeError
        raise error(f"module {__name__!r} has no attribute {name!r}{hint}")

    def __dir__():
        return sorted({*globals(), *_MODULES})


__all__ = [
    "VLLM",
    "Balanced",
    "Cached",
    "Capabilities",
    "Coalescing",
    "Embedded",
    "Limited",
    "OpenAI",
    "Pooling",
    "Price",
    "ProgramAnswer",
    "Ready",
    "Recorded",
    "Retrying",
    "Simulated",
    "Transformers",
    "each",
    "preflight",
    "shipped",
]
