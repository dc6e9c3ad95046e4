"""The tests' process: executes the tests, in which the program's functions are calls to another process.

No code of the program ever runs here: what it answers are plain values and numbers of objects. Whatever it does to its
own process, an assertion of the tests is evaluated by this one. Runs inside the sandbox, since tests may be generated.
"""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import functools
import socket
import sys
import traceback
import types
from types import CodeType
from typing import Any

from searchkit.sandbox import cases, endings
from searchkit.sandbox.channel import Channel, Gone
from searchkit.sandbox.compiled import FILE, unpacked
from searchkit.sandbox.executed import Executed, Moving
from searchkit.sandbox.failures import CHECKED, HELD, UNREACHED, Failures
from searchkit.sandbox.found import extra, unusual
from searchkit.sandbox.libraries import unnamed
from searchkit.sandbox.operations import OF_DATACLASSES, TOUCHED
from searchkit.sandbox.remote import FULLY, LIKE, NOT, Opaque, is_remote
from searchkit.sandbox.wire import STARTED, send

BOTH = "{} is the program's, and an import of all of a module gives the test one, too"
EARLIER = "the program raised RecursionError before the test could set the limit of recursion"
NOTHING_ASKED = "the test asked nothing of the program"


class Missing(NameError):
    """The program does not define what the tests call."""


def judge(desk: socket.socket, stream: socket.socket, job: dict[str, Any]) -> None:
    """Run each test; send [passed, reason] for each as it ends."""
    court = Court(Channel(stream), job["entry_point"])
    court.channel.shapes = frozenset(job["shapes"])
    trouble = court.prepare(job["prompt"]) or court.start()
    if not trouble:
        send(desk, STARTED)
    if not trouble and any("std" in test["text"] for test in job["tests"]):
        court.channel.ask("listen")
    if not trouble and any(question == TOUCHED for test in job["tests"] for question, _ in test["apart"]):
        court.channel.ask("watch")
    if not trouble and any("setrecursionlimit" in test["text"] for test in job["tests"]):
        sys.setrecursionlimit = functools.partial(_limit, court.channel, sys.setrecursionlimit)
    if any("dataclasses" in test["text"] for test in job["tests"]):
        for name in OF_DATACLASSES:
            setattr(dataclasses, name, functools.partial(_of_class, court.channel, name, getattr(dataclasses, name)))
    for test in job["tests"]:
        passed, reason = (False, trouble) if trouble else court.run(test)
        send(desk, [passed, endings.printable(reason)])


def _limit(channel: Channel, own: Any, limit: int) -> None:
    """The limit of recursion is one for both processes, as if they were one."""
    own(limit)
    asked = channel.asked
    with contextlib.suppress(Exception):  # the program is already deeper than that
        channel.ask("limit", limit)
    channel.asked = asked


def _of_class(channel: Channel, name: str, own: Any, value: Any, /, *args: Any, **kwargs: Any) -> Any:
    """What a function of the module `dataclasses` says of a value: of an object of the program, in its process."""
    return channel.ask(name, value, *args, **kwargs) if is_remote(value) else own(value, *args, **kwargs)


class Court:
    """The names of the prompt, the program, and how its execution ended."""

    def __init__(self, channel: Channel, entry_point: str) -> None:
        self.channel: Channel = channel
        self.entry_point: str = entry_point
        self.given: dict[str, Any] = {}
        self.raised: dict[str, Any] | None = None
        self.kept: Executed | None = None  # the text of the test before, for its next case

    def prepare(self, prompt: str) -> str:
        """Why the prompt cannot be executed; "" if it was. It is trusted: its helpers are not the program's."""
        try:
            exec(compile(prompt, "<prompt>", "exec", dont_inherit=True), self.given)
        except BaseException as error:
            return f"the prompt raised {type(error).__name__}"
        self.given.pop("__builtins__", None)
        return ""

    def start(self) -> str:
        """Why the program cannot be called; "" if it can, even if some of it raised."""
        try:
            self.raised = self.channel.started()
        except Gone as error:
            return str(error)
        return ""

    def run(self, test: dict[str, Any]) -> tuple[bool | None, str]:
        """Whether a test passed, which is: it ran to its end, and so did every call that it made; and why not.

        None: it can be neither passed nor failed.
        """
        channel = self.channel
        channel.unknown, channel.doubt, channel.asked = "", "", 0
        channel.raises, channel.named, channel.failed = "raise" in test["text"], [], ""
        failures = self._continue(test)
        channel.stored, channel.serial = frozenset(test["stored"]), test["serial"]
        try:
            reason = self._run(test, failures)
        except BaseException as error:
            self.channel.unknown = self.channel.unknown or endings.skipped(error)
            reason = reason_of(error, FILE) + self._at_module_level(error)
        if self.kept is not None and (self.kept.fixtures.failed or channel.frozen or channel.unknown):
            self.kept = None  # the next case begins anew
        if self.channel.trouble:
            return False, reason or self.channel.trouble
        if self.channel.failed:
            return False, reason or self.channel.failed
        shared = self.channel.apart()
        if self.channel.unknown:
            return None, self.channel.unknown
        if not reason:
            silent = not self.channel.asked and (test["last"] or not test["case"])  # cases ask for one another
            doubt = failures.trouble() or self.channel.doubt or shared or (NOTHING_ASKED if silent else "")
            return (None, doubt) if doubt else (True, "")
        if self.raised is not None and self.raised["library"]:
            return None, unnamed(self.raised["library"])
        if self.raised is not None and (lacking := self.channel.lacking(self.raised)):
            return None, lacking
        if self.raised is not None and self.raised["name"] == "RecursionError" and "setrecursionlimit" in test["text"]:
            return None, f"{EARLIER}, and the test failed ({reason})"
        if shared:
            return None, f"{shared}, and the test failed ({reason})"
        apart = next((text for question, text in test["apart"] if not question or self._says(question)), "")
        return (None, f"{apart}, and the test failed ({reason})") if apart else (False, reason)

    def _says(self, question: str) -> bool:
        """What the program's process says of what the program did. It may lie, and is then not judged."""
        try:
            return bool(self.channel.ask(question) is not False)
        except BaseException:
            return True

    def _run(self, test: dict[str, Any], failures: Failures) -> str:
        if test["unseen"]:
            self.channel.unknown = test["unseen"]
            return ""
        self.channel.ends = "Iteration" in test["text"]
        ready = self.kept or self._executed(test, failures)
        if self.kept is not None:
            self._bind_again(test, ready)
        elif test["case"] and not (self.channel.unknown or self.channel.doubt or failures.noted()):
            self.kept = ready
        if not self.channel.unknown:
            self._run_cases(test, ready, failures)
        ready.asked = self.channel.asked
        self.channel.doubt = self.channel.doubt or ready.doubt
        return ""

    def _continue(self, test: dict[str, Any]) -> Failures:
        """Go on with the names of the test before if this is a case of the same text, as in one run of all of them."""
        if self.kept is not None and self.kept.text != test["text"]:
            self.kept = None
        if self.kept is None or not self.channel.shared.kept:  # nothing that the program holds is the test's
            self.channel.renew()
        self.channel.shared.work = 0
        if self.kept is None:
            return Failures()
        self.kept.failures.begin()
        return self.kept.failures

    def _executed(self, test: dict[str, Any], failures: Failures) -> Executed:
        """The names of a text after its last line."""
        module = sys.modules["__main__"] = types.ModuleType("__main__")
        names: dict[str, Any] = module.__dict__
        names.update(self.given)
        bound = self._bind(test, names)
        if moving := [name for name in test["moving"] if name in bound and not self._is_trusted(bound[name])]:
            names = Moving(self.channel.entry, moving, names)
        names.update(failures.names())
        self.channel.names = names
        self._execute(test, names, failures)
        module.__dict__.update(names)
        lost = (name for name in test["own"] if name in bound and names.get(name, bound[name]) is not bound[name])
        doubt = next((BOTH.format(name) for name in lost), "")
        return Executed(test["text"], names, bound, self.channel.asked, failures, doubt)

    def _bind_again(self, test: dict[str, Any], ready: Executed) -> None:
        """As for a new test, but for names that the text has given to something else."""
        bound = self._bind(test, {**self.given})
        own = {name: value for name, value in bound.items() if ready.names.get(name) is ready.bound.get(name)}
        ready.names.update(own)
        ready.bound.update(own)
        if isinstance(ready.names, Moving):
            ready.names.forget()
        self.channel.asked += ready.asked

    def _run_cases(self, test: dict[str, Any], ready: Executed, failures: Failures) -> None:
        """The test's case, and those that only a run of the text finds."""
        names = ready.names
        more = extra(names, test["known"]) if test["first"] else []
        chosen = [test["case"], *more] if test["case"] else more
        for case in chosen:
            failures.reached = 0 if case == test["case"] else failures.reached
            self.channel.doubt = self.channel.doubt or unusual(names, case)
            outcome = None if self.channel.doubt else cases.run(names, case, failures, ready.fixtures)
            if outcome is not None:
                self.channel.unknown = outcome
        if test["ends"]:
            ready.fixtures.end_class(failures)
        if test["last"]:
            ready.fixtures.end(failures)
        if not failures.reached and test["case"].rpartition(".")[2] in test["due"]:
            self.channel.doubt = self.channel.doubt or (UNREACHED if self.channel.asked else NOTHING_ASKED)

    def _execute(self, test: dict[str, Any], names: dict[str, Any], failures: Failures) -> None:
        """The text of a test, up to its last line or to where it leaves."""
        code = self._code(test, names)
        with endings.passed_over(test["text"] if test["case"] else ""):
            try:
                exec(code, names)
            except SystemExit as error:
                self.channel.unknown = endings.left(error, test["text"], FILE, test["taken"]) or self.channel.unknown
                marked = HELD in test["text"] or CHECKED in test["text"]
                if marked and not test["case"] and not failures.reached:
                    self.channel.doubt = self.channel.doubt or UNREACHED

    def _code(self, test: dict[str, Any], names: dict[str, Any]) -> CodeType:
        """The test as it is executed."""
        source: str | ast.Module = test["text"]
        if any(word in test["text"] for word in ("type", "__class__")):
            names[_Types.NAME] = self._type_of
            source = ast.fix_missing_locations(_Types().visit(ast.parse(source)))
        elif code := unpacked(test["code"]):
            return code
        return compile(source, FILE, "exec", dont_inherit=True)

    def _type_of(self, function: Any, value: Any) -> Any:
        """What `type(value)` is where `type` is that function; None stands for `__class__`."""
        if function is not None and function is not type:
            return function(value)
        return self.channel.type_of(value)

    def _bind(self, test: dict[str, Any], names: dict[str, Any]) -> dict[str, Any]:
        """Give the test what it uses of the program, which is returned. What the prompt defines is the prompt's."""
        names.update({name: __import__(name) for name in test["modules"] if name not in self.given})
        taken = [name for name in test["taken"] if name == self.entry_point or name not in self.given]
        trusts = dict[int, int]()
        for name in taken:
            names.pop(name, None)  # the prompt's empty function is not the program's
            try:
                names[name] = self.channel.entry(name)
            except AttributeError:
                if name == self.entry_point:
                    raise Missing(f"the program defines no {name!r}") from None
                continue  # a NameError where it is used, if it is
            if is_remote(names[name]):
                trust = FULLY if name in test["classes"] else LIKE if name[0].isupper() else NOT
                trust = trusts[id(names[name])] = min(trust, trusts.get(id(names[name]), FULLY))  # by two names
                object.__setattr__(names[name], "_sk_kind", trust)
                object.__setattr__(names[name], "_sk_made", trust if trust == FULLY else NOT)
                self.channel.named += [names[name]] if trust else []
        self.channel.asked = sum(name in names and not is_remote(names[name]) for name in taken)  # a value is an answer
        return {name: names[name] for name in taken if name in names}

    def _is_trusted(self, value: Any) -> bool:
        return is_remote(value) and any(value is one for one in self.channel.named)

    def _at_module_level(self, error: BaseException) -> str:
        """What the program raised on its own, where a name may be missing for that."""
        if self.raised is None or not isinstance(error, NameError | AttributeError):
            return ""
        return f" (the program raised {self.raised['name']}: {self.raised['text']})"


class _Types(ast.NodeTransformer):
    """Makes a test ask for the type of an object by a function of ours, whose name no program text can spell."""

    NAME = "<type>"

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == "type" and len(node.args) == 1 and not node.keywords:
            node.args.insert(0, ast.copy_location(ast.Name("type", ast.Load()), node.func))  # whatever that is there
            node.func.id = self.NAME
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        if node.attr != "__class__" or not isinstance(node.ctx, ast.Load):
            return node
        return ast.copy_location(ast.Call(ast.Name(self.NAME, ast.Load()), [ast.Constant(None), node.value], []), node)


def reason_of(error: BaseException, file: str) -> str:
    """Where a test failed and by what. It quotes the program and no test: feedback must not give answers away."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    where = f"line {lines[-1]}: " if lines else ""
    if isinstance(error, Gone):
        return where + str(error)
    if told := endings.said(error):
        return f"{where}{told}"
    said = f": {error}" if isinstance(error, NameError | Opaque) else ""
    return f"{where}{type(error).__name__}{said}"
