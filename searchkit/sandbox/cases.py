"""The cases of a text of tests, run one by one: functions and methods called test..., by a runner of our own.

Runs inside the sandbox, in the tests' process. Which cases there are is found outside, by reading.
"""

from __future__ import annotations

import sys
from typing import Any

from searchkit.sandbox.failures import Failures


class Fixtures:
    """What cases of one text share: classes are set up before the first of their cases, and torn down after the last.

    failed: whether one could not be set up.
    """

    def __init__(self) -> None:
        self.failed: bool = False
        self._result: Any = None

    def run(self, test: Any, failures: Failures) -> str | None:
        """A case of unittest's, with what has to be set up and torn down before it. As the function `run`."""
        return self._run([test], failures)

    def end_class(self, failures: Failures) -> None:
        """Tear down the class of the last case. Raises what fails there."""
        if self._result is not None:
            self._run([], failures, one_class=True)

    def end(self, failures: Failures) -> None:
        """Tear down all that was set up. Raises what fails there."""
        if self._result is not None:
            self._result._testRunEntered = False  # as the outermost suite, which ends what is open
            self._run([], failures)

    def _run(self, tests: list[Any], failures: Failures, one_class: bool = False) -> str | None:
        unittest = sys.modules["unittest"]
        if self._result is None:
            self._result = unittest.TestResult()
            self._result._testRunEntered = True
        result, raised = self._result, list[BaseException]()
        for outcomes in (result.expectedFailures, result.unexpectedSuccesses, result.skipped):
            outcomes.clear()
        result.addError = result.addFailure = lambda test, error: raised.append(error[1])
        result.addSubTest = lambda test, part, error: raised.extend([error[1]] if error else [])
        suite = unittest.TestSuite(tests)
        suite.run(result)
        if one_class:
            suite._tearDownPreviousClass(None, result)
            result._previousTestClass = type("", (), {"__module__": result._previousTestClass.__module__})
        self.failed = getattr(result, "_moduleSetUpFailed", False) or any(
            getattr(type(one), "_classSetupFailed", False) for one in tests
        )
        if raised:
            raise raised[0]
        if result.expectedFailures:
            failures.failed.clear()
        if result.unexpectedSuccesses:
            raise AssertionError("it was expected to fail")
        return f"the test was skipped: {result.skipped[0][1]}" if result.skipped else None


def run(names: dict[str, Any], case: str, failures: Failures, fixtures: Fixtures) -> str | None:
    """Run one case, "name" or "Class.name". Why it was skipped, None if it was not. Raises what fails it."""
    owner, _, name = case.rpartition(".")
    if not owner:
        names[name]()
        return None
    kind = names[owner]
    unittest = sys.modules.get("unittest")
    if unittest is not None and issubclass(kind, unittest.TestCase):
        return fixtures.run(kind(name), failures)
    if getattr(kind, "__unittest_skip__", False):
        return f"the test was skipped: {kind.__unittest_skip_why__}"
    getattr(kind(), name)()
    return None
