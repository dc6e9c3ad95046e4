"""The cases of a text of tests, run one by one: functions and methods called test..., by a runner of our own.

Runs inside the sandbox, in the tests' process. Which cases there are is found outside, by reading.
"""

from __future__ import annotations

import sys
from typing import Any

from searchkit.sandbox.failures import Failures


def run(names: dict[str, Any], case: str, failures: Failures) -> str | None:
    """Run one case, "name" or "Class.name". Why it was skipped, None if it was not. Raises what fails it."""
    owner, _, name = case.rpartition(".")
    if not owner:
        names[name]()
        return None
    kind = names[owner]
    unittest = sys.modules.get("unittest")
    if unittest is None or not issubclass(kind, unittest.TestCase):
        if getattr(kind, "__unittest_skip__", False):
            return f"the test was skipped: {kind.__unittest_skip_why__}"
        getattr(kind(), name)()
        return None
    result = unittest.TestResult()
    raised = list[BaseException]()
    result.addError = result.addFailure = lambda test, error: raised.append(error[1])
    result.addSubTest = lambda test, part, error: raised.extend([error[1]] if error else [])
    unittest.TestSuite([kind(name)]).run(result)
    if raised:
        raise raised[0]
    if result.expectedFailures:
        failures.failed.clear()
    if result.unexpectedSuccesses:
        raise AssertionError("it was expected to fail")
    return f"the test was skipped: {result.skipped[0][1]}" if result.skipped else None
