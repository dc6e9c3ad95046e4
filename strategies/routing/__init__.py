"""Strategies made of others: which of them is asked, how many at once, and with how much.

Read `passing.py` first (several in order, until one passes), then `race.py` (all at once) and `fallback.py` (one after
the other), `then.py` (one goes on from another's answer) and `budgeted.py` (ceilings for a part of a search).

Then what chooses by cost: `escalate.py` (from cheap to dear, as far as it takes) with the bars of `bars.py`, and
`router.py` (one of several, before anything is drawn), which is fitted on recorded tries, `rows.py`, by `neighbours.py`
or `fitting.py`, or asks a model, `asking.py`, or looks at a few samples first, `pilots.py`.
"""

from searchkit.strategies.routing.asking import asking
from searchkit.strategies.routing.budgeted import Budgeted
from searchkit.strategies.routing.escalate import Escalate
from searchkit.strategies.routing.fallback import Fallback
from searchkit.strategies.routing.race import Race
from searchkit.strategies.routing.router import Router
from searchkit.strategies.routing.then import Then

__all__ = ["Budgeted", "Escalate", "Fallback", "Race", "Router", "Then", "asking"]
