"""searchkit.testing: public test doubles, and the laws that every strategy, verifier and backend inherits.

Subclass `StrategyTests`, `VerifierTests` or `BackendTests` in a test module and say what to test::

    class TestMyStrategy(StrategyTests):
        def strategy(self):
            return MyStrategy(4)

`searchkit.testing.server` holds a loopback server that imitates the OpenAI API with its latencies, faults and quirks.
"""

from searchkit.testing.backends import BackendTests
from searchkit.testing.doubles import Counting, Scripted, Shuffled
from searchkit.testing.strategies import StrategyTests
from searchkit.testing.verifiers import VerifierTests

__all__ = ["BackendTests", "Counting", "Scripted", "Shuffled", "StrategyTests", "VerifierTests"]
