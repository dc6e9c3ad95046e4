"""Every error that searchkit raises by itself.

SearchkitError
|-- ConfigError (ValueError)     the caller's: an impossible parameter; nothing was paid
|   |-- NeedsPrefix              the backend cannot continue an assistant turn
|   `-- CapabilityError          the backend drops a feature that was asked for
|-- CallError (calls.py)         the backend's: one request failed; carries the request and what it cost
|-- VerifierError                the verifier's: it raised, or returned something that is no score
|-- BudgetExhausted              a ceiling was reached; carries its name
|-- SweepFailed (experiments)    so many searches of a sweep failed alike that the next ones would, too
|-- StaleBranch                  the world is no longer as it was when this branch of a tree was explored
|-- AttemptEnded                 an agent goes on calling models although its attempt is over
|-- UncertainEffect              an irreversible action was begun, and nobody knows whether it happened
`-- JournalError                 the journal cannot be used: foreign, damaged, in use, or not to be written

SearchWarning (UserWarning)      a search goes on, but not as its caller may think; no error, but worth a look
"""

from __future__ import annotations

from searchkit.kinds import printable


class SearchkitError(Exception):
    """The root of the hierarchy. What a model, a server or an agent said is escaped in it."""

    def __init__(self, *said: object) -> None:
        super().__init__(*(printable(one) if isinstance(one, str) else one for one in said))


class ConfigError(SearchkitError, ValueError):
    """An impossible configuration, raised before any call is paid for. The message names the fix."""


class CapabilityError(ConfigError):
    """The backend does not honour a feature that the request needs."""


class NeedsPrefix(CapabilityError):
    """The backend cannot continue an assistant turn, and the strategy needs it."""


class VerifierError(SearchkitError):
    """A verifier raised, returned NaN, a score outside its range, or the wrong number of verdicts.

    mistake: it returned what is no list of verdicts, or not one a sample, so that not even the form is right. One such
    failure is survived like any other; where every verdict of a search is one, `solve` raises `ConfigError`.
    """

    def __init__(self, message: str, *, mistake: bool = False) -> None:
        super().__init__(message)
        self.mistake: bool = mistake


class BudgetExhausted(SearchkitError):
    """A ceiling of the budget does not allow the next call. `ceiling` names it ("generations", "seconds", ...)."""

    def __init__(self, ceiling: str) -> None:
        super().__init__(f"the budget's ceiling on {ceiling} does not allow another call")
        self.ceiling: str = ceiling

    def __reduce__(self) -> tuple[type[BudgetExhausted], tuple[str]]:
        return type(self), (self.ceiling,)


class StaleBranch(SearchkitError):
    """Replaying a branch's actions led to another observation than before: its states are no longer to be had."""


class AttemptEnded(SearchkitError):
    """An agent, or a thread that it left behind, calls a model although the attempt that it belongs to has ended."""


class UncertainEffect(SearchkitError):
    """An earlier process began an irreversible action and did not record its end: look whether it happened."""


class JournalError(SearchkitError):
    """A journal that cannot be used: no journal of ours, of another version, damaged, in use, or not to be written.

    The file is left as it is. A search does not survive it: what it paid for from then on could not be kept.
    """


class SearchWarning(UserWarning):
    """A search goes on, but not as its caller may think: most of what it tried failed, or a ceiling cannot bind."""
