"""What can be named on the command line, and how a value written there is read.

A value is a literal (``8``, ``0.5``, ``True``, ``"text"``), a name (``countdown``, ``boxed``) or a call of a name
(``BetaStopping(0.9)``, ``SelfConsistency(3)``). Where a parameter may be one of some words (``unit=tokens``), such a
word stands for itself. Your own is named with its module, as it is or called: ``module:Name``, ``module:Name(3)``; or
by the name that an installed package gives it as an entry point of the group ``searchkit``. The text is parsed, never
evaluated: nothing but these names can be called.
"""

from __future__ import annotations

import ast
import difflib
import functools
import importlib
import importlib.metadata
import importlib.util
import inspect
import re
import sys
import types
import typing
from collections.abc import Callable, Iterable
from dataclasses import is_dataclass
from typing import Any

from searchkit.errors import ConfigError, SearchkitError
from searchkit.kinds import described
from searchkit.strategy import Strategy

MOST = 50  # names that an error lists
GROUP = "searchkit"  # of the entry points by which packages name what they add
_OWN = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):([A-Za-z_]\w*)(\(.*\))?", re.DOTALL)


def known() -> dict[str, Any]:
    """Every name with what it stands for: strategies, their rules, environments, answer keys, verifiers."""
    from searchkit import environments, strategies, verifiers
    from searchkit.answers import keys
    from searchkit.lab.arithmetic import answer
    from searchkit.lab.checker import ARITHMETIC, CHECKER, operations, outcome_reward, process_reward
    from searchkit.lab.environment import ArithmeticSteps, CountdownSteps

    names: dict[str, Any] = {name: getattr(strategies, name) for name in strategies.__all__}
    worlds = {name: getattr(environments, name) for name in environments.__all__}
    names |= {name: world for name, world in worlds.items() if world.__module__ != environments.protocols.__name__}
    names |= {name: getattr(verifiers, name) for name in verifiers.__all__ if name != "keys"}
    names |= {name: getattr(keys, name) for name in keys.__all__}
    names |= {"process_reward": process_reward, "outcome_reward": outcome_reward}
    names |= {"countdown": CHECKER, "operations": operations, "CountdownSteps": CountdownSteps}
    names |= {"arithmetic": ARITHMETIC, "answer": answer, "ArithmeticSteps": ArithmeticSteps}
    return plugged() | names


def plugged() -> dict[str, Any]:
    """What installed packages add: entry points of the group ``searchkit``, but those that cannot be imported."""
    return _plugged(tuple(sys.path))[0]


@functools.lru_cache(maxsize=4)
def _plugged(_: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, str]]:
    """What they stand for, and why others cannot be imported, which matters only to who asks for them."""
    found: dict[str, Any] = {}
    broken: dict[str, str] = {}
    for point in importlib.metadata.entry_points(group=GROUP):
        try:
            found[point.name] = point.load()
        except (Exception, SystemExit) as error:
            broken[point.name] = described(error)
    return found, broken


def strategy_names() -> list[str]:
    return [name for name, value in known().items() if isinstance(value, type) and issubclass(value, Strategy)]


def strategy(
    name: str, given: Iterable[str], preset: dict[str, Any], fix: str = "add -p {0}=... (or --{0} for a verifier)"
) -> Strategy:
    """The strategy called `name` (``best-of-n`` is ``BestOfN``) with ``field=value`` parameters over `preset` ones.

    fix: what to do where a parameter is missing, with its name for ``{0}``.
    """
    wanted = next((known()[n] for n in strategy_names() if plain(n) == plain(name)), None)
    if wanted is None and ":" in name:
        wanted = imported(name, strategy_names())
        if isinstance(wanted, Strategy) and not list(given):
            return wanted
        if not (isinstance(wanted, type) and issubclass(wanted, Strategy)):
            raise ConfigError(f"{name!r} is no strategy: name a class that is derived from searchkit.Strategy")
    if wanted is None:
        raise ConfigError(f"unknown strategy {name!r}{meant(name, strategy_names())}")
    allowed = _parameters(wanted)
    values = {k: v for k, v in preset.items() if k in allowed}
    for one in given:
        field, found, text = one.partition("=")
        if not found:
            raise ConfigError(f"a parameter is written field=value, got {one!r}")
        if field not in allowed:
            raise ConfigError(f"{wanted.__name__} has no parameter {field!r}{meant(field, allowed)}")
        values[field] = text if text in _words(wanted, field) or _is_text(wanted, field, text) else value(text)
    for needed in (name for name, has_default in allowed.items() if not has_default and name not in values):
        article = "an" if needed[0] in "aeiou" else "a"
        raise ConfigError(f"{wanted.__name__} needs {article} {needed}: {fix.format(needed)}")
    made: Strategy = build(wanted, (), values)
    return made


def _parameters(owner: Any) -> dict[str, bool]:
    """What a class can be given by name, a dataclass or not -> whether it has a default."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    found = inspect.signature(owner).parameters.values()
    return {p.name: p.default is not p.empty for p in found if p.kind in kinds}


def _hint(owner: Any, field: str) -> Any:
    """The type of one of them."""
    return typing.get_type_hints(owner if is_dataclass(owner) else owner.__init__).get(field, Any)


def value(text: str) -> Any:
    """What `text` stands for; see the top of this file."""
    own = _OWN.fullmatch(text.strip())
    if own is not None:
        found = imported(f"{own[1]}:{own[2]}", ())
        return _called(found, own[3]) if own[3] else found
    try:
        return _read(ast.parse(text.strip(), mode="eval").body)
    except SyntaxError:
        return text


def _called(make: Any, arguments: str) -> Any:
    """`make` with arguments as they are written, parentheses included."""
    try:
        call = ast.parse(f"f{arguments}", mode="eval").body
    except SyntaxError as error:
        raise ConfigError(f"{arguments!r:.80} cannot be read as arguments: {error.msg}") from None
    if not isinstance(call, ast.Call):
        raise ConfigError(f"{arguments!r:.80} cannot be read as arguments")
    return build(make, map(_read, call.args), {k.arg: _read(k.value) for k in call.keywords if k.arg is not None})


def _is_text(owner: Any, field: str, text: str) -> bool:
    """Whether a text with a colon is meant as it stands: where a text may stand, and its module is none."""
    own = _OWN.fullmatch(text.strip())
    if own is None or _hint(owner, field) is not str:
        return False
    return importlib.util.find_spec(own[1].partition(".")[0]) is None


def _words(owner: Any, field: str) -> set[Any]:
    """The words that the field may be, as it is declared: those of its `Literal`, or of one in a union."""
    hints = [_hint(owner, field)]
    for hint in hints:
        if typing.get_origin(hint) in (typing.Union, types.UnionType):
            hints.extend(typing.get_args(hint))
    return {word for hint in hints if typing.get_origin(hint) is typing.Literal for word in typing.get_args(hint)}


def build(make: Callable[..., Any], args: Iterable[Any], kwargs: dict[str, Any]) -> Any:
    """`make(*args, **kwargs)`; wrong arguments, and whatever else its code raises, become one clear sentence."""
    try:
        return make(*args, **kwargs)
    except TypeError as error:
        said = re.sub(r"^[\w.]+\(\) ", "", str(error))
        raise ConfigError(f"{getattr(make, '__name__', make)}: {said}") from error
    except SearchkitError:
        raise
    except (Exception, SystemExit) as error:
        raise ConfigError(f"{getattr(make, '__name__', make)} cannot be made: {described(error)}") from error


def imported(path: str, known: Iterable[str]) -> Any:
    """The object at ``module:attribute``, for verifiers and agents of the user's own. known: names that go without."""
    module, found, attribute = path.partition(":")
    if not found:
        raise ConfigError(f"{path!r} is not known here{meant(path, known)} (your own is named as module:function)")
    try:
        there = importlib.import_module(module)
        if hasattr(there, attribute):
            return getattr(there, attribute)
    except (Exception, SystemExit) as error:  # whatever its first lines do
        raise ConfigError(f"{path!r} cannot be imported: {described(error)}") from error
    ours = [name for name in vars(there) if not name.startswith("_")]
    raise ConfigError(f"{path!r} cannot be imported: {module} has no {attribute!r}{meant(attribute, ours)}")


def _read(node: ast.expr) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
        return -node.operand.value  # type: ignore[operator]
    if isinstance(node, (ast.Tuple, ast.List)):
        return tuple(map(_read, node.elts))
    if isinstance(node, ast.Dict) and None not in node.keys:
        return dict(zip((_read(key) for key in node.keys if key is not None), map(_read, node.values), strict=True))
    if isinstance(node, ast.Name):
        if node.id not in known():
            raise ConfigError(f"unknown name {node.id!r}{meant(node.id, known())}")
        return known()[node.id]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        keywords = {k.arg: _read(k.value) for k in node.keywords if k.arg is not None}
        return build(_read(node.func), map(_read, node.args), keywords)
    raise ConfigError(
        f"{ast.unparse(node)!r} cannot be used here: write a literal, a name, or a call such as BetaStopping(0.9)"
    )


def plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


def meant(name: str, among: Iterable[str]) -> str:
    """The end of an error about an unknown name: why it is none, or the known one that is closest, else all of them."""
    if broken := _plugged(tuple(sys.path))[1].get(name):
        return f": an installed package has it, which cannot be imported: {broken:.300}"
    among = sorted(among)
    hint = close(name, among)
    more = f" and {len(among) - MOST} more" if len(among) > MOST else ""
    return f": did you mean {hint!r}?" if hint else f"; known are {', '.join(among[:MOST])}{more}"


def close(name: str, among: Iterable[str], least: float = 0.6) -> str | None:
    """The one of some names that `name` may be a misspelling of."""
    by = {plain(n): n for n in among}
    found = difflib.get_close_matches(plain(name), by, 1, least)
    return by[found[0]] if found else None
