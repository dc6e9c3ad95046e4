"""searchkit.testing: public test doubles, and the laws that every strategy, verifier and backend inherits.

Subclass `StrategyTests`, `VerifierTests` or `BackendTests` in a test module and say what to test::

    class TestMyStrategy(StrategyTests):
        def strategy(self):
            return MyStrategy(4)

The laws are in `strategies.py`, `anytime.py` (events, and searches that are stopped), `verifiers.py` and `backends.py`,
doubles in `doubles.py` and `law_worlds.py`.
`worlds/` has search spaces with a known optimum, to try a strategy on.
`server.py` is a loopback server that imitates the OpenAI API with its latencies, faults and quirks
(`server_profiles.py`, `server_replies.py`); ``python -m searchkit.testing.server`` starts it.
"""

from searchkit.testing.backends import BackendTests
from searchkit.testing.doubles import Counting, Scripted, Shuffled
from searchkit.testing.strategies import StrategyTests
from searchkit.testing.verifiers import VerifierTests

__all__ = ["BackendTests", "Counting", "Scripted", "Shuffled", "StrategyTests", "VerifierTests"]
