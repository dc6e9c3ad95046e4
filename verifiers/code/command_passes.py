"""CommandPasses: a command, such as a project's tests, run in the folder that an attempt left, in a sandbox."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

from searchkit.agents.running import Program, Running
from searchkit.agents.workspace import Workspace
from searchkit.calls import CallError
from searchkit.environments.patch import prints
from searchkit.errors import ConfigError, VerifierError
from searchkit.kinds import is_number, told
from searchkit.protocols import Run
from searchkit.sandbox import bubblewrap
from searchkit.types import Prompt, Sample, Verdict
from searchkit.verifiers.base import Independent

WORK = "/work"
"""The folder, as seen from inside."""
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/etc/alternatives")
TEMPORARY = 2**28
"""Bytes of all files in its /tmp together."""
QUOTED = 2_000  # characters of what it printed last


@dataclass(frozen=True)
class CommandPasses(Independent):
    """Passes the attempts in whose folder a command ends with status 0; samples are `Workspace` values.

    - argv: the command, such as ``["python", "-m", "pytest", "-q"]``.
    - keep: files that an attempt must not have changed, made or removed, by their paths with ``*`` and ``?`` (``*``
      also crosses slashes): its own tests, say. One that did has failed, and nothing is run.
    - sandbox: "bubblewrap": it sees its folder, at /work and in a new copy, the system's programs, this Python and
      `read`; no other file, no network, no other process. "none": it runs as you, held by nothing but `seconds`.
    - read: more folders that it may read, a virtual environment say.
    - seconds: it may take so long, then the attempt has failed.
    - most: bytes that it may print.

    The feedback is how it ended and what it printed last. Its memory and the number of its processes are not limited.
    What an attempt wrote is run in the same process as the tests, and can end that with status 0 before they have
    begun: where that matters, judge by ``InFile(UnitTests(tests), file)``, which a program can only answer.

    Cost: one verification and no model call; a copy of the files, two more with `keep`, and the command. Raises
    `ConfigError` where bubblewrap is missing or does not work.

    >>> from searchkit.verifiers import CommandPasses
    >>> CommandPasses(["make", "test"], keep=("tests/*",), sandbox="none").range
    (0.0, 1.0)
    """

    argv: Sequence[str]
    keep: tuple[str, ...] = ()
    sandbox: Literal["bubblewrap", "none"] = "bubblewrap"
    read: tuple[str, ...] = ()
    seconds: float = 300.0
    most: int = 2**20

    def __post_init__(self) -> None:
        if isinstance(self.argv, str) or not self.argv or not all(isinstance(one, str) for one in self.argv):
            raise ConfigError(f'CommandPasses takes a command, ["make", "test"], got {self.argv!r:.80}')
        object.__setattr__(self, "argv", tuple(self.argv))
        for name, given in (("keep", self.keep), ("read", self.read)):
            if not isinstance(given, tuple) or not all(isinstance(one, str) for one in given):
                raise ConfigError(f'{name} is a tuple of paths, such as {name}=("tests/*",), got {told(given)}')
        if not is_number(self.seconds) or not self.seconds > 0:
            raise ConfigError(f"seconds must be > 0, got {told(self.seconds)}")
        if self.sandbox not in ("bubblewrap", "none"):
            raise ConfigError(f'sandbox is "bubblewrap" or "none", got {self.sandbox!r}')
        if self.sandbox == "bubblewrap" and (why := _trouble()):
            raise ConfigError(
                f"there is no sandbox for commands ({why}). Install bubblewrap, or pass "
                'sandbox="none" to run them as you'
            )

    @property
    def range(self) -> tuple[float, float]:
        return (0.0, 1.0)

    @property
    def oracle(self) -> bool:
        """It is given nothing of a problem."""
        return False

    @property
    def key(self) -> str:
        return f"command passes:1:{[self.argv, self.keep, self.sandbox, self.read, self.seconds, self.most]}"

    async def verify(self, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> list[Verdict]:
        return [await self._judge(sample.value, run) for sample in samples]

    async def _judge(self, workspace: Any, run: Run) -> Verdict:
        if not isinstance(workspace, Workspace) or workspace.world is None:
            raise VerifierError(f"CommandPasses judges a Workspace, got {told(workspace)}: give the search a world=...")
        if changed := await self._changed(workspace, run):
            return Verdict(passed=False, feedback=f"it changed {changed}, which it must not")
        async with workspace.opened(run) as there:
            try:
                said = await Running(self._program(there.path)).said()
            except CallError as error:
                return Verdict(passed=False, feedback=f"the command was stopped: {error}")
            except (OSError, ValueError) as error:
                raise ConfigError(f"the command {self.argv[0]!r} cannot be started: {error}") from error
        printed = (said.printed + said.complaints).decode(errors="replace").strip()
        return Verdict(passed=said.status == 0, feedback=f"status {said.status}\n{printed[-QUOTED:]}")

    async def _changed(self, workspace: Workspace, run: Run) -> str:
        """The first file of `keep` that is other than in the original; "" if none is."""
        assert workspace.world is not None
        if not self.keep:
            return ""
        async with workspace.world.opened("", run) as before, workspace.opened(run) as there:
            old, new = self._kept(before), self._kept(there.path)
        return min((name for name in old.keys() | new.keys() if old.get(name) != new.get(name)), default="")

    def _kept(self, folder: Path) -> dict[str, str]:
        found = prints(folder)
        return {name: file for name, file in found.items() if any(fnmatchcase(name, one) for one in self.keep)}

    def _program(self, folder: Path) -> Program:
        known = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}
        if self.sandbox == "none":
            return Program(self.argv, folder, {**os.environ, **known}, b"", self.most, self.seconds)
        command = [*_confined(folder, self.read), "--", *self.argv]
        return Program(command, folder, {**known, "HOME": "/tmp"}, b"", self.most, self.seconds)


def _confined(folder: Path, read: tuple[str, ...]) -> list[str]:
    """What to put in front of a command that works in `folder`, and sees little else."""
    real = Path(sys.executable).resolve().parents[1]
    shown = (*SYSTEM, sys.prefix, sys.base_prefix, os.path.realpath(sys.base_prefix), str(real), *read)
    return [
        bubblewrap.available() or "bwrap", "--unshare-all", "--unshare-user", "--die-with-parent", "--new-session",
        "--cap-drop", "ALL", "--size", str(TEMPORARY), "--tmpfs", "/tmp",  # first: what is shown may be in it
        *(word for path in dict.fromkeys(shown) for word in ("--ro-bind-try", path, path)),
        *(word for path in bubblewrap.DEVICES for word in ("--dev-bind", path, path)),
        "--bind", str(folder), WORK, "--chdir", WORK, "--remount-ro", "/",
    ]  # fmt: skip


@functools.cache
def _trouble() -> str:
    """Why it does not work here; "" if it does. Takes milliseconds, the first time."""
    if bubblewrap.available() is None:
        return "bubblewrap is not installed"
    with tempfile.TemporaryDirectory() as folder:
        tried = subprocess.run([*_confined(Path(folder), ()), "--", "true"], capture_output=True, text=True)
    return "" if tried.returncode == 0 else f"bubblewrap says: {tried.stderr.strip()[:200]}"
