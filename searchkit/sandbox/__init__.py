"""Untrusted Python run in isolation: the one way in which this package runs a program that it did not write.

Read `levels.py` first (which confinement holds here: `bubblewrap.py`, `landlock.py`, `seccomp.py`, `limits.py`), then
the way of one program: `pool.py`, `pair.py`, `process.py`, `zygote.py` (two processes, one for the program and one for
its tests), `scratch.py` (its folder on disk), `measured.py`, `crowd.py` (what it has too much of: files; threads),
`rehearsal.py` (what each would do first, done once), `whole.py`, `program.py`, `player.py` (the program's side),
`brief.py`, `names.py`, `trust.py`, `watched.py`, `surroundings.py`, `compiled.py` (what is read of a test before it is
run), `judge.py`, `executed.py`, `cases.py`, `found.py`, `failures.py`, `channel.py` (the tests' side), `wire.py`,
`plain.py`, `arrays.py` (the plain data that passes between them), `moments.py` (dates and zones), `named.py` (paths and
the like), `given.py` (nodes of lists and trees), `flags.py`, `remote.py`, `operations.py`, `errors.py`, `shared.py`
(objects, exceptions and containers of the program, as the tests see them), `libraries.py` (what may be imported),
`report.py` (what is run, and what became of it), `script.py` (a program that only reads and prints), `session.py`,
`cells.py` (one that is run piece by piece, from outside and inside), `endings.py` (how tests end before their last
line).
"""
