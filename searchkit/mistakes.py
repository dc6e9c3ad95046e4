"""Mistakes of people who call us or write plug-ins: each becomes one `ConfigError` whose sentence names the fix.

`check_search` looks through the arguments of a search before anything is paid for, and through the fields of its
plug-ins: those that are declared as a `Verifier`, `Generator`, `Environment`, `Selector` or `Backend`. What only shows
while a search runs (a wrong value returned, a forgotten await) is checked where the engine receives it.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import types
import typing
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from searchkit.errors import ConfigError, SearchkitError
from searchkit.kinds import forgotten, innermost, is_whole, told
from searchkit.types import Budget, Outcome, Params, Problem, Prompt, Sample, Scored

T = TypeVar("T")
Check = Callable[[str, Any], None]
MOST_NAMED = 5  # of what is wrong several times
ENVIRONMENT = ("start", "prompt", "step_params", "step", "candidate")
VERIFIER = ("bind", "joint", "range")


# ---------------------------------------------------------------- plug-ins


def check_verifier(owner: str, verifier: Any) -> None:
    """Raises `ConfigError` unless `verifier` is one."""
    _no_class(owner, "a verifier", verifier, "verify")
    if not _has(verifier, "verify"):
        raise ConfigError(f"{owner} needs a verifier; wrap a callable as Predicate(fn), got {told(verifier)}")
    missing = [name for name in VERIFIER if not hasattr(verifier, name)]
    if missing:
        raise ConfigError(
            f"{owner} needs a verifier with {', '.join(missing)} too, see searchkit.protocols.Verifier, "
            f"got {told(verifier)}"
        )


def check_generator(owner: str, generator: Any) -> None:
    """Raises `ConfigError` unless `generator` is one: a model, a strategy, a wrapped callable."""
    _no_class(owner, "a generator", generator, "generate", "complete")
    if _has(generator, "generate"):
        return
    if _has(generator, "complete"):
        raise ConfigError(
            f"{owner} needs a generator, and this is a backend; wrap it: Model(backend), got {told(generator)}"
        )
    if callable(generator):
        raise ConfigError(f"{owner} needs a generator; wrap a callable as Function(fn), got {told(generator)}")
    raise ConfigError(f"{owner} needs a generator such as Model(backend) or Function(fn), got {told(generator)}")


def check_backend(owner: str, backend: Any) -> None:
    """Raises `ConfigError` unless `backend` is one."""
    _no_class(owner, "a backend", backend, "complete", "generate")
    if _has(backend, "complete"):
        return
    if _has(backend, "generate"):
        raise ConfigError(f"{owner} needs a backend, and this is a generator already: use it as it is, {told(backend)}")
    fix = "wrap a callable as Function(fn)," if callable(backend) else "an object with complete(requests),"
    raise ConfigError(f"{owner} needs a backend: {fix} got {told(backend)}")


def check_selector(owner: str, selector: Any) -> None:
    """Raises `ConfigError` unless `selector` is a rule that chooses."""
    _no_class(owner, "a rule", selector, "select")
    if not _has(selector, "select"):
        raise ConfigError(f"{owner} needs a rule such as Argmax(), Soft(0.1) or Vote(), got {told(selector)}")


def check_environment(owner: str, environment: Any) -> None:
    """Raises `ConfigError` unless `environment` is one."""
    _no_class(owner, "an environment", environment, "step")
    missing = [name for name in ENVIRONMENT if not _has(environment, name)]
    if missing:
        raise ConfigError(
            f"{owner}: an environment such as TextSteps() is needed, one with {', '.join(missing)}, "
            f"got {told(environment)}"
        )


def check_strategy(strategy: Any) -> None:
    """Raises `ConfigError` unless `strategy` is one, or any generator; what it is made of is checked too."""
    _no_class("a search", "a strategy", strategy, "generate", "complete")
    if _has(strategy, "complete") and not _has(strategy, "generate"):
        raise ConfigError(f"a strategy is needed, and this is a backend; wrap it: Model(backend), got {told(strategy)}")
    if not _has(strategy, "generate"):
        raise ConfigError(f"a strategy is needed, such as BestOfN(8, verifier), got {told(strategy)}")
    check_parts(strategy)


def _has(value: Any, method: str) -> bool:
    return callable(getattr(value, method, None))


def _no_class(owner: str, what: str, value: Any, *methods: str) -> None:
    """Raises `ConfigError` for a class of what is needed; other classes are callables like `bool`."""
    if isinstance(value, type) and any(_has(value, method) for method in methods):
        raise ConfigError(f"{owner} needs {what}, an object and not its class: {value.__name__}(...), got {value!r}")


PARTS: dict[str, Check] = {  # by name, since an environment's protocol stands in a layer above
    "searchkit.protocols.Verifier": check_verifier,
    "searchkit.protocols.Generator": check_generator,
    "searchkit.protocols.Backend": check_backend,
    "searchkit.protocols.Selector": check_selector,
    "searchkit.environments.protocols.Environment": check_environment,
}


def check_parts(plug_in: Any) -> None:
    """Raises `ConfigError` if a field of `plug_in`, or of what is in it, is not what it is declared to be."""
    for owner, name, check, part in _parts(plug_in):
        check(f"{name}= of {type(owner).__name__}", part)


def verifiers_of(plug_in: Any) -> list[Any]:
    """The verifiers that a strategy, and the plug-ins in it, judge by; not those that are a part of another one."""
    return [part for _, _, check, part in _parts(plug_in, whole=False) if check is check_verifier]


def bound(verifier: Any, problem: Problem) -> Any:
    """The verifier for this problem. Raises `ConfigError` if what its `bind` returns is none."""
    found = verifier.bind(problem)
    check_verifier(f"bind of {type(verifier).__name__} must return what judges; it", found)
    return found


def check_references(verifiers: Iterable[Any], problem: Problem) -> list[tuple[Any, Any]]:
    """Each verifier with itself for this problem. Raises `ConfigError`, naming the problem, if one cannot use it."""
    try:
        return [(verifier, bound(verifier, problem)) for verifier in verifiers]
    except SearchkitError as error:
        raise ConfigError(f"problem {problem.id!r:.200}: {error}") from error


def _parts(plug_in: Any, *, whole: bool = True) -> Iterator[tuple[Any, str, Check, Any]]:
    """Each plug-in in a field of another one: whose field, its name, what checks it, and the plug-in itself.

    whole: also those in verifiers.
    """
    stack, seen = [plug_in], set[int]()
    while stack:
        owner = stack.pop()
        seen.add(id(owner))
        for name, check, optional in _declared(type(owner)):  # type: ignore[arg-type]  # classes are hashable
            part = getattr(owner, name, None)
            if part is None and (optional or not hasattr(owner, name)):
                continue
            yield owner, name, check, part
            if id(part) not in seen and (whole or check is not check_verifier):
                stack.append(part)


@cache
def _declared(cls: Any) -> tuple[tuple[str, Check, bool], ...]:
    """The fields of `cls` that hold one plug-in each: name, what checks it, and whether None is allowed."""
    try:
        hints = typing.get_type_hints(cls)
    except Exception:  # a name that only a type checker sees: then what is wrong shows when it is used
        return ()
    found = []
    for name, hint in hints.items():
        kinds = list(_alternatives(hint))
        check = PARTS.get(kinds[0]) if kinds else None
        if check is not None and len(kinds) - ("None" in kinds) == 1:
            found.append((name, check, "None" in kinds))
    return tuple(found)


def _alternatives(hint: Any) -> Iterator[str]:
    """The full names of what `hint` allows, None last."""
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    members = typing.get_args(hint) if union else (hint,)
    for member in members:
        if member is not types.NoneType:
            bare = typing.get_origin(member) or member
            yield f"{getattr(bare, '__module__', '')}.{getattr(bare, '__qualname__', '')}"
    if types.NoneType in members:
        yield "None"


# ---------------------------------------------------------------- arguments of a search


def check_search(strategy: Any, params: Any, budget: Any, seed: Any) -> None:
    """Raises `ConfigError` for arguments of a search that cannot be meant so."""
    check_strategy(strategy)
    check_params(params)
    if not isinstance(budget, Budget):
        what = "leave it out, or pass Budget()," if budget is None else "such as Budget(generations=8),"
        raise ConfigError(f"budget= is a Budget: {what} got {told(budget)}")
    if not hasattr(seed, "__index__"):
        raise ConfigError(f"seed= is a whole number, got {told(seed)}")


def check_prices(sources: Sequence[Any], budget: Budget) -> None:
    """Raises `ConfigError` for a ceiling on money where all `sources` are models that could have a price, none has."""
    if budget.usd is None or not sources:
        return
    backends = [innermost(source) for source in sources]
    if all(hasattr(backend, "prices") and backend.model not in backend.prices for backend in backends):
        model = backends[0].model
        raise ConfigError(
            f"Budget(usd=...) cannot bind: {model!r} has no price; give its backend "
            f"prices={{{model!r}: Price(prompt, generated)}}, or limit generated_tokens"
        )


def check_params(params: Any) -> None:
    """Raises `ConfigError` unless `params` are sampling parameters, or None."""
    if params is None or isinstance(params, Params):
        return
    fix = "Params(**params)" if isinstance(params, dict) else "such as Params(temperature=0.7)"
    raise ConfigError(f"params= are Params: {fix}, got {told(params)}")


def check_counts(owner: object, **least: int) -> None:
    """Raises `ConfigError` unless each of these fields of `owner` is a whole number, and at least so much."""
    for name, bound in least.items():
        value = getattr(owner, name)
        if not is_whole(value) or value < bound:
            raise ConfigError(f"{type(owner).__name__} needs {name} >= {bound}, a whole number, got {told(value)}")


def check_callback(name: str, callback: Any) -> None:
    """Raises `ConfigError` unless `callback` can be called, or is None."""
    if callback is None:
        return
    if not callable(callback):
        raise ConfigError(f"{name}= is a function that is called with what happens, got {told(callback)}")
    if _is_async(callback):
        raise ConfigError(
            f"{name}= is called and not awaited, got {told(callback)}: leave out its `async`, or read the events with "
            f"`async for`"
        )


def _is_async(callback: Any) -> bool:
    """Whether what `callback` returns must be awaited, as far as it shows."""
    while isinstance(callback, functools.partial):
        callback = callback.func
    calls = (callback, getattr(type(callback), "__call__", None))  # noqa: B004
    return any(inspect.iscoroutinefunction(one) or inspect.isasyncgenfunction(one) for one in calls)


def listed(name: str, values: Any, such_as: str) -> tuple[Any, ...]:
    """`values` as a tuple. Raises `ConfigError`, naming the argument and an example, for what is no list."""
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        raise ConfigError(f"{name}= takes a list, such as {name}={such_as}, got {told(values)}")
    return tuple(values)


def check_ids(ids: Sequence[str]) -> None:
    """Raises `ConfigError`, naming them, where problems share an id: their randomness would be the same."""
    twice = [f"{one!r:.80}" for one, times in Counter(ids).items() if times > 1]
    if twice:
        shown = ", ".join(twice[:MOST_NAMED]) + (f" and {len(twice) - MOST_NAMED} more" if twice[MOST_NAMED:] else "")
        raise ConfigError(
            f"problem ids must differ, since seeds are derived from them: several problems have the same id, {shown}"
        )


def suggesting(**elsewhere: str) -> Callable[[type[T]], type[T]]:
    """Decorates a class: an argument that its constructor does not know is a `ConfigError` that names the nearest one.

    elsewhere: where arguments belong that people look for here, by their names.
    """

    def decorate(cls: type[T]) -> type[T]:
        made = cls.__init__
        known = list(inspect.signature(cls).parameters)

        @functools.wraps(made)
        def __init__(self: T, *args: Any, **kwargs: Any) -> None:
            for name in kwargs:
                if name not in known:
                    raise ConfigError(_unknown_argument(cls.__name__, name, known, elsewhere))
            made(self, *args, **kwargs)

        cls.__init__ = __init__  # type: ignore[method-assign, assignment]
        return cls

    return decorate


def _unknown_argument(owner: str, name: str, known: Sequence[str], elsewhere: Mapping[str, str]) -> str:
    close = difflib.get_close_matches(name, [*known, *elsewhere], 1, 0.6)
    if not close:
        return f"{owner} has no argument {name!r}; there are {', '.join(known)}"
    there = f", which belongs to {elsewhere[close[0]]}" if close[0] in elsewhere else ""
    if close[0] == name:
        return f"{owner} has no argument {name!r}: it belongs to {elsewhere[name]}"
    return f"{owner} has no argument {name!r}: did you mean {close[0]!r}{there}?"


# ---------------------------------------------------------------- what only shows while a search runs


def no_sample(who: str, value: Any) -> ConfigError:
    """What to say where `who` returned `value` instead of a Sample."""
    kind = type(value).__name__
    if forgotten(value):
        fix = "put `await` before what it returns"
    elif isinstance(value, Scored):
        fix = "return scored.sample"
    elif isinstance(value, Outcome):
        fix = "return outcome.unwrap(), if that is one"
    elif isinstance(value, (list, tuple)):
        fix = "return one of them, such as samples[0]"
    elif value is None:
        fix = "it ends without `return`"
    else:
        fix = "return one that was drawn, or wrap the value: Sample(value)"
    return ConfigError(f"{who} must return a Sample, not {kind}: {fix}")


def check_prompt(who: str, prompt: Any) -> None:
    """Raises `ConfigError` unless `prompt` is a Prompt."""
    if not isinstance(prompt, Prompt):
        kind = type(prompt).__name__
        fix = "put `await` before it" if forgotten(prompt) else "make one with Prompt.of(...)"
        raise ConfigError(f"{who} needs a Prompt, not {kind}: {fix}")


def check_samples(who: str, samples: Any) -> None:
    """Raises `ConfigError` unless `samples` is a sequence of samples."""
    if type(samples) is list and len(samples) == 1 and type(samples[0]) is Sample:  # by far the most
        return
    if not isinstance(samples, (list, tuple)):
        kind = type(samples).__name__
        if isinstance(samples, Sample):
            fix = "pass [sample]"
        else:
            fix = "put `await` before it" if forgotten(samples) else "pass samples that were drawn"
        raise ConfigError(f"{who} needs a list of samples, not {kind}: {fix}")
    for sample in samples:
        if not isinstance(sample, Sample):
            kind, fix = type(sample).__name__, "pass scored.sample" if isinstance(sample, Scored) else "Sample(value)"
            raise ConfigError(f"{who} needs samples, and one of them is a {kind}: {fix}")


def lacking_await(error: BaseException) -> ConfigError | None:
    """The mistake behind an error that Python raises where `await` is missing or too much; None if it is another."""
    if not isinstance(error, (TypeError, AttributeError)):
        return None
    said = str(error)
    if "coroutine" in said:
        return ConfigError(f"`await` is missing, such as in `await run.sample(...)`: {said}")
    if "can't be used in 'await' expression" in said or "can't be awaited" in said:
        return ConfigError(f"`async` is missing before `def`, or there is an `await` too many: {said}")
    return None
