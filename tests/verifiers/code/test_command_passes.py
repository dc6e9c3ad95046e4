"""CommandPasses: commands run in the folders of attempts, confined, and what attempts must not change."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from searchkit import SearchWarning, solve_sync
from searchkit.agents import Workspace
from searchkit.environments import FolderEnvironment
from searchkit.errors import ConfigError
from searchkit.function import Function
from searchkit.strategies import BestOfN
from searchkit.testing.verifiers import VerifierTests
from searchkit.types import Verdict
from searchkit.verifiers import CommandPasses
from searchkit.verifiers.code.command_passes import _trouble
from tests.helpers.workspaces import left_by

confined = pytest.mark.skipif(bool(_trouble()), reason=f"no bubblewrap that works: {_trouble()}")
LEVELS = [pytest.param("bubblewrap", marks=confined), "none"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "project" / "tests").mkdir(parents=True)
    (tmp_path / "project" / "module.py").write_text("def double(x): return x\n")
    (tmp_path / "project" / "tests" / "test_module.py").write_text("from module import double\nassert double(2) == 4\n")
    return tmp_path / "project"


def judged(judge: CommandPasses, project: Path, **files: str | None) -> Verdict:
    """What it says of an attempt that writes these files, by their names with _ for /, and removes those of None."""

    def agent(task: str, workspace: Workspace) -> None:
        for name, text in files.items():
            path = workspace.path / (name.replace("__", "/") + ".py")
            path.unlink() if text is None else path.write_text(text)

    result = solve_sync("go", BestOfN(1, judge), generator=Function(agent, world=FolderEnvironment(project)))
    return result.candidates[0].verdict


RUN = [sys.executable, "-c", "import sys; sys.path.insert(0, ''); exec(open('tests/test_module.py').read())"]
RIGHT = "def double(x): return 2 * x\n"


@pytest.mark.parametrize("level", LEVELS)
def test_it_passes_what_ends_well(level: Any, project: Path) -> None:
    judge = CommandPasses(RUN, sandbox=level)
    assert judged(judge, project, module=RIGHT).passed is True
    failed = judged(judge, project, module="def double(x): return 3 * x\n")
    assert failed.passed is False
    assert "status 1" in failed.feedback
    assert "AssertionError" in failed.feedback


@pytest.mark.parametrize("level", LEVELS)
def test_tests_that_were_changed_have_failed(level: Any, project: Path) -> None:
    judge = CommandPasses(RUN, keep=("tests/*",), sandbox=level)
    assert judged(judge, project, module=RIGHT).passed is True
    changes: list[dict[str, str | None]] = [
        {"tests__test_module": "pass"}, {"tests__test_module": None}, {"tests__conftest": "pass"}
    ]  # fmt: skip
    for files in changes:
        verdict = judged(judge, project, module=RIGHT, **files)
        assert verdict.passed is False
        assert "it changed tests/" in verdict.feedback


@pytest.mark.parametrize("level", LEVELS)
def test_what_takes_too_long_or_says_too_much_is_stopped(level: Any, project: Path) -> None:
    for program, options, why in (
        ("while true; do sleep 1; done", {"seconds": 0.2}, "took more than"),
        ("while true; do echo more; done", {"most": 1000}, "printed more than"),
    ):
        verdict = judged(CommandPasses(["sh", "-c", program], sandbox=level, **options), project)  # type: ignore[arg-type]
        assert verdict.passed is False
        assert why in verdict.feedback


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as one:
        yield int(one.getsockname()[1])


@confined
def test_it_sees_nothing_but_its_folder(project: Path, listening: int, tmp_path: Path) -> None:
    """Each attempt to get out fails, and what is written in the folder is lost."""
    (tmp_path / "secret").write_text("secret")
    code = f"""
import os, socket
found = []
for attempt in (
    lambda: open({str(tmp_path / "secret")!r}),
    lambda: open("/etc/passwd"),
    lambda: open("/usr/made", "w"),
    lambda: open("/made", "w"),
    lambda: os.listdir({str(Path.home())!r} + "/.ssh"),
    lambda: os.kill({os.getpid()}, 0),
    lambda: socket.create_connection(("127.0.0.1", {listening}), 1),
    lambda: os.listdir("/proc/self"),
    lambda: os.chroot("/tmp"),
    lambda: os.chown("/usr", 1, 1),
    lambda: os.mknod("/tmp/device", 0o600 | 0o60000, os.makedev(8, 0)),
    lambda: os.sethostname("other") if hasattr(os, "sethostname") else open("/none"),
    lambda: open("/dev/kmsg"),
    lambda: os.remove("/usr/bin/env"),
):
    try:
        attempt()
    except OSError:
        continue
    found.append(attempt)
assert "OPENAI_API_KEY" not in os.environ and not found, found
open("made", "w").write("x")
open("/tmp/made", "w").write("x")
"""
    before = sorted(path.name for path in project.rglob("*"))
    verdict = judged(CommandPasses([sys.executable, "-c", code]), project)
    assert verdict.passed is True, verdict.feedback
    assert sorted(path.name for path in project.rglob("*")) == before
    assert not Path("/tmp/made").exists()


@confined
def test_what_it_leaves_running_ends_with_it(project: Path) -> None:
    verdict = judged(CommandPasses(["sh", "-c", "(setsid sleep 65 >/dev/null 2>&1 &) ; exit 0"]), project)
    assert verdict.passed is True
    running = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert b"sleep\x0065\x00" not in running


def test_mistakes_are_told(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = ["make test", [], [3]]
    for argv in given:
        with pytest.raises(ConfigError, match="takes a command"):
            CommandPasses(argv, sandbox="none")
    options: list[dict[str, Any]] = [{"keep": "tests"}, {"read": [1]}, {"seconds": 0}, {"sandbox": "docker"}]
    for one in options:
        with pytest.raises(ConfigError):
            CommandPasses(["true"], **{"sandbox": "none", **one})
    with pytest.raises(ConfigError, match="cannot be started"):
        judged(CommandPasses(["no-such-command-of-ours"], sandbox="none"), project)
    with pytest.warns(SearchWarning, match="judges a Workspace"):
        solve_sync("go", BestOfN(1, CommandPasses(["true"], sandbox="none")), generator=lambda text: text)
    monkeypatch.setattr("searchkit.verifiers.code.command_passes._trouble", lambda: "it is not installed")
    with pytest.raises(ConfigError, match="Install bubblewrap"):
        CommandPasses(["true"])


def leaves(task: str, workspace: Workspace, index: int) -> None:
    if index:
        (workspace.path / "there").write_text("x" * index)


class TestCommandPasses(VerifierTests):
    """The laws, on workspaces."""

    @pytest.fixture(autouse=True)
    def made(self, tmp_path: Path) -> None:
        self.samples = left_by(leaves, 3, tmp_path)

    def verifier(self) -> CommandPasses:
        return CommandPasses(["test", "-e", "there"], sandbox="none")
