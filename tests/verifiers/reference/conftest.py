"""No comparison is given up because the machine is busy."""

from __future__ import annotations

import pytest

from searchkit.verifiers.reference.maths.worker import QUEUE, WITH_MATH_VERIFY


@pytest.fixture(autouse=True, scope="module")
def patience():
    """A minute instead of two seconds for the workers that all tests share."""
    with pytest.MonkeyPatch.context() as patch:
        for queue in (QUEUE, WITH_MATH_VERIFY):
            patch.setattr(queue.worker, "limit", 60.0)
        yield
