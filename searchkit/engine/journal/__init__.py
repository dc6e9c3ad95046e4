"""The journal: an append-only SQLite file of finished calls. Resuming a search is replaying its journal.

Read `rows.py` first: what is written of a call, and what a damaged row is. Then `header.py` (which files are ours),
`lock.py` (one process at a time), `file.py` (how one is made, opened and read through), `journal.py` (looking up, and
writing in groups), `salvage.py` (one that may be damaged, opened all the same) and `checked.py` (a file that is only
looked at: what is in it, what is damaged, a copy without).
"""

from searchkit.engine.journal.journal import Journal
from searchkit.engine.journal.rows import Entry, Origin

__all__ = ["Entry", "Journal", "Origin"]
