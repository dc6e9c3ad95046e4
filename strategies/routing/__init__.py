"""Strategies made of others: which of them is asked, how many at once, and with how much.

Read `passing.py` first (several in order, until one passes), then `race.py` (all at once) and `fallback.py` (one after
the other), `then.py` (one goes on from another's answer) and `budgeted.py` (ceilings for a part of a search).
"""

from searchkit.strategies.routing.budgeted import Budgeted
from searchkit.strategies.routing.fallback import Fallback
from searchkit.strategies.routing.race import Race
from searchkit.strategies.routing.then import Then

__all__ = ["Budgeted", "Fallback", "Race", "Then"]
