"""Two tiers of tests, quick and slow, and one profile for Hypothesis."""

from __future__ import annotations

import gc
import logging
import os
import re

import pytest
from hypothesis import HealthCheck, settings

if "PYTEST_XDIST_WORKER" in os.environ:  # the workers take all cores: threads of PyTorch would only wait for each other
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# A loaded machine is slow, not wrong: no test fails because of the time that it takes.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

LEFT_OUT = pytest.StashKey[int]()


# A task of somebody else's, such as the closing of a client that a framework left to the collector.
FOREIGN = re.compile(r"coro=<[^>]* defined at [^>]*site-packages/(?!searchkit/)")


class Unseen(logging.Handler):
    """Errors of tasks and futures that nobody looked at: asyncio says so in its log once they are collected."""

    def __init__(self):
        super().__init__(logging.ERROR)
        self.found = []

    def emit(self, record):
        message = record.getMessage()
        if "never retrieved" in message and not FOREIGN.search(message):
            self.found.append(self.format(record))

    def check(self):
        found, self.found = self.found, []
        if found:
            pytest.fail("asyncio met an error that nobody looked at:\n" + "\n".join(found), pytrace=False)


UNSEEN = Unseen()
logging.getLogger("asyncio").addHandler(UNSEEN)


@pytest.hookimpl(hookwrapper=True, trylast=True)
def pytest_runtest_teardown(nextitem):
    """An error that nobody looked at is an error of the test in which it comes to light, which may be a later one."""
    yield
    if nextitem is None:
        gc.collect()
    UNSEEN.check()


def marked(item, *names):
    return any(item.get_closest_marker(name) for name in names)


def pytest_collection_modifyitems(config, items):
    """Keep the quick tier, unless the command itself says which tests it means: by marker or by the id of a test."""
    if config.option.markexpr or any("::" in argument for argument in config.args):
        return
    config.stash[LEFT_OUT] = sum(marked(item, "slow") for item in items)
    config.hook.pytest_deselected(items=[item for item in items if marked(item, "slow", "vllm")])
    items[:] = [item for item in items if not marked(item, "slow", "vllm")]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config):
    """A worker more than cores, since a quarter of the time of a test is waiting for servers and other processes."""
    return len(os.sched_getaffinity(0)) + 1 if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1) + 1


def pytest_collection_finish():
    """What was imported and collected lives to the end: the collector of garbage need not walk it again and again."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish(session):
    """Each worker of xdist collects all tests itself: let it tell the process that prints what it left out."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = session.config.stash.get(LEFT_OUT, 0)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    """Remember what a worker left out; all workers say the same."""
    node.config.stash[LEFT_OUT] = getattr(node, "workeroutput", {}).get("left_out", 0)


def pytest_terminal_summary(terminalreporter, config):
    """Say how to run the rest."""
    if left := config.stash.get(LEFT_OUT, 0):
        terminalreporter.write_line(f"Slow tests left out: {left}. Run them with: pytest -m slow")
