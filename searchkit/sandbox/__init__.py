"""Untrusted Python run in isolation: the one way in which this package runs a program that it did not write.

Read `levels.py` first (which confinement holds here: `bubblewrap.py`, `landlock.py`, `seccomp.py`, `limits.py`), then
the way of one program: `pool.py`, `pair.py`, `process.py`, `zygote.py` (two processes, one for the program and one for
its tests), `player.py` (the program's side), `judge.py`, `channel.py` (the tests' side), `wire.py` (the plain data that
passes between them), `report.py` (what is run, and what became of it).
"""
