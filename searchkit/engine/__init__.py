"""The engine: how a call is seeded, held against the budget, replayed or performed, charged, traced and cancelled.

Read `run.py` first: the calls that a run offers. Then `position.py` (where a run stands: seed, place, what it shares
with the others), `metering.py` with `held.py` (one call, charged exactly once), `relaying.py` (the calls that an agent
makes by itself), `candidates.py` (what a search shares, and what a strategy has found), `stream.py` with `begin.py`
(concurrent items in order, and how they start) and `threads.py` (what ends with a function), `spawning.py` (items that
a program starts one by one), `ledger.py` (budgets), `journal/` with `keys.py` (what makes a search resumable),
`verdicts.py` (what a verifier said, checked) and `seeds.py`. `feed.py` and `reader.py` tell what happens, and
`aside.py` looks at the best so far without asking anybody. `sync.py` and `progress.py` stand at the door. Plug-ins
see `searchkit.protocols.Run` alone.
"""
