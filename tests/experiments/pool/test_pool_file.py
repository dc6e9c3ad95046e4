"""Pools as files: what survives, what is refused, and that a file only ever grows."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from searchkit.errors import ConfigError
from searchkit.experiments import Entry, Pool
from tests.experiments.pool.pools import POOLS, SMALL, scored


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(POOLS, st.randoms(use_true_random=False))
def test_a_pool_saved_as_it_grew_comes_back_equal(tmp_path, entries, rng):
    """Any JSON value, key and text survives; so do samples and scores in the order in which they were saved."""
    path = tmp_path / "pool.jsonl"
    path.unlink(missing_ok=True)
    pool = Pool(entries)
    short = {p: column[: rng.randint(0, len(column))] for p, column in entries.items()}
    bare = {p: tuple(replace(e, score=None, scores={}) for e in column) for p, column in short.items() if column}
    sizes = []
    for step in ([Pool(bare)] if bare else []) + [pool, pool]:
        step.save(path)
        sizes.append(path.stat().st_size)
    assert Pool.load(path).entries == dict(Pool(entries).entries)
    assert sizes[-1] == sizes[-2]  # saved twice is saved once
    assert [file.name for file in tmp_path.iterdir()] == ["pool.jsonl"]


def test_a_file_only_grows(tmp_path):
    """Each save leaves the bytes before it as they were, and holds problems of pools saved earlier."""
    path, before = tmp_path / "pool.jsonl", b""
    more = Pool({"r": (Entry("6"),), "p": (*SMALL.entries["p"], Entry("7"))})
    for pool in (SMALL, more, scored(more, prm=0.25), scored(more, prm=0.25, orm=1.0), SMALL):
        pool.save(path)
        assert path.read_bytes().startswith(before)
        before = path.read_bytes()
    want = {**SMALL.entries, **scored(more, prm=0.25, orm=1.0).entries}
    assert Pool.load(path).entries == want


def test_what_is_stored_is_never_changed(tmp_path):
    """Another sample, another truth, or another value of a stored score: refused by name, and the file is as it was."""
    path = tmp_path / "pool.jsonl"
    scored(SMALL, prm=0.25).save(path)
    whole = path.read_bytes()
    column = SMALL.entries["p"]
    for other, says in (
        ((column[0], Entry("6")), "another sample 1 of problem 'p'"),
        ((replace(column[0], correct=False),), "another sample 0"),
        ((column[0], replace(column[1], score=0.0)), "the score stored for problem 'p', sample 1, differs"),
        ((replace(column[0], scores={"prm": 0.5}),), "the score 'prm' stored"),
    ):
        with pytest.raises(ConfigError, match=says):
            Pool({"p": other}).save(path)
        assert path.read_bytes() == whole


@pytest.mark.parametrize(
    ("bad", "kind"),
    [({"value": (1, 2)}, "value of type tuple"), ({"value": "x", "key": frozenset("ab")}, "key of type frozenset")],
)
def test_a_refused_save_writes_nothing(tmp_path, bad, kind):
    """A value or key that JSON would change is refused by name; no file appears, and an old one stays whole."""
    path, column = tmp_path / "pool.jsonl", SMALL.entries["p"]
    for _ in range(2):
        with pytest.raises(ConfigError, match=f"problem 'p', sample 2: a {kind}"):
            Pool({"p": (*column, Entry(**bad))}).save(path)
        assert [Pool.load(file) for file in tmp_path.iterdir()] == [SMALL][: len(list(tmp_path.iterdir()))]
        SMALL.save(path)


def test_half_characters_survive(tmp_path):
    """A lone surrogate, which servers do send, is saved and loaded like any other text."""
    pool = Pool({"p": (Entry("\ud83d cut", key="\u2028"),)})
    scored(pool, prm=0.5).save(tmp_path / "pool.jsonl")
    scored(pool, prm=0.5, **{"\ud83d": 1.0}).save(tmp_path / "pool.jsonl")
    assert Pool.load(tmp_path / "pool.jsonl") == scored(pool, prm=0.5, **{"\ud83d": 1.0})


# ---------------------------------------------------------------- what goes wrong


def test_a_save_cut_off_anywhere_never_happened(tmp_path):
    """Of the second save only some bytes are there: load warns and gives the first, and saving again mends it."""
    path, whole = tmp_path / "pool.jsonl", Pool({"p": scored(SMALL, prm=0.5).entries["p"], "r": (Entry("6"),)})
    whole = Pool({**SMALL.entries, **whole.entries})
    SMALL.save(path)
    first = path.stat().st_size
    whole.save(path)
    content = path.read_bytes()
    for length in (first, *range(first + 1, len(content) - 1, 3), len(content) - 2):
        path.write_bytes(content[:length])
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert Pool.load(path) == SMALL
            whole.save(path)
        assert [str(w.message).partition(" ends in ")[0] for w in caught] == [str(path)] * (2 if length > first else 0)
        assert {w.filename for w in caught} <= {__file__}
        if length > first:
            assert Pool.load(path) == whole
    path.write_bytes(content[:-1])
    assert Pool.load(path) == whole


def test_every_truncation_of_the_first_save_is_refused(tmp_path):
    """However many bytes are missing, load says so instead of returning a smaller pool."""
    path = tmp_path / "pool.jsonl"
    SMALL.save(path)
    whole = path.read_bytes()
    for length in (*range(0, len(whole) - 1, 2), len(whole) - 2):  # the newline at the end carries nothing
        path.write_bytes(whole[:length])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises(ConfigError, match=r"not a searchkit pool|incomplete"):
                Pool.load(path)


def test_a_killed_process_costs_what_it_had_not_saved(tmp_path):
    """A real process that saves until it is killed: every save that it reported is there, and the file goes on."""
    path = tmp_path / "pool.jsonl"
    script = f"""
from searchkit.experiments import Entry, Pool
entries = ()
while True:
    entries += tuple(Entry("x" * 3000, generated_tokens=len(entries) + i) for i in range(20))
    Pool({{"p": entries}}).save({str(path)!r})
    print(len(entries), flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        for _ in range(5):
            reported = int(process.stdout.readline())
        process.kill()
        reported = int((process.stdout.read().split() or [reported])[-1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        [column] = Pool.load(path).entries.values()
        assert len(column) >= reported
        Pool({"p": (*column, Entry("end"))}).save(path)
    assert [entry.generated_tokens for entry in Pool.load(path).entries["p"]] == [*range(len(column)), 0]


def test_a_full_disk_leaves_the_old_pool(tmp_path):
    """A write that the system refuses half-way is one clear error; the old pool is whole, and no new file is left."""
    path, new = tmp_path / "pool.jsonl", tmp_path / "new.jsonl"
    SMALL.save(path)
    script = f"""
import resource
from searchkit.errors import ConfigError
from searchkit.experiments import Entry, Pool
resource.setrlimit(resource.RLIMIT_FSIZE, ({path.stat().st_size + 100},) * 2)
for path in ({str(path)!r}, {str(new)!r}):
    try:
        Pool({{"r": (Entry("x" * 3000),)}}).save(path)
    except ConfigError as error:
        assert "cannot be written: File too large" in str(error), error
    else:
        raise SystemExit("nothing was refused")
"""
    subprocess.run([sys.executable, "-c", script], check=True)
    assert [file.name for file in tmp_path.iterdir()] == ["pool.jsonl"]
    with pytest.warns(UserWarning, match="1 lines are left out"):
        assert Pool.load(path) == SMALL


@pytest.mark.parametrize(
    "content", ["", "notes\n", "[1]\n", '{"model": "x"}\n', "\x00\x01", '{"searchkit_pool": 99}\n']
)
def test_foreign_files_are_refused_and_never_written_to(tmp_path, content):
    """Neither load nor save touches a file that is not a pool of this version."""
    path = tmp_path / "notes.txt"
    path.write_text(content)
    for use in (Pool.load, SMALL.save):
        with pytest.raises(ConfigError, match=r"not a searchkit pool|version 99"):
            use(path)
    assert path.read_text() == content


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ('"correct": true', '"correct": "yes"', 2),
        ('"score": 0.5', '"score": NaN', 2),
        ('"key": "4"', '"key": ["4"]', 2),
        ('"generated_tokens": 7', '"generated_tokens": -7', 2),
        ('"finish": "stop"', '"finish": "soon"', 2),
        ('"value": "4"', '"colour": "4"', 2),
        ('"scores": {}', '"scores": 4', 2),
        ('{"problem": "p", ', "{", 2),
        ('"4"', '"\udcff"', 2),
        ('"saved": 4', '"saved": 5', 6),
        ('"saved": 4', '"saved": -1', 6),
        ('"sample": 1', '"sample": 2', 8),
        ('{"problem": "p", "sample"', '{"problem": "r", "sample"', 7),
    ],
)
def test_damaged_lines_are_named(tmp_path, old, new, line):
    """A line that is no valid entry, score or end of a save is refused with its number."""
    path = tmp_path / "pool.jsonl"
    SMALL.save(path)
    scored(SMALL, prm=0.5).save(path)
    path.write_bytes(path.read_text().replace(old, new, 1).encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError, match=f"line {line}, is damaged"):
        Pool.load(path)


def test_paths_that_cannot_be_used_are_named(tmp_path):
    """A missing file and a missing folder are one clear sentence each."""
    with pytest.raises(ConfigError, match=r"nowhere\.jsonl cannot be read"):
        Pool.load(tmp_path / "nowhere.jsonl")
    with pytest.raises(ConfigError, match="cannot be written"):
        SMALL.save(tmp_path / "missing" / "pool.jsonl")


def test_a_saved_pool_is_plain_json_lines(tmp_path):
    """The format is one object a line under a header, for people and other tools."""
    SMALL.save(tmp_path / "pool.jsonl")
    scored(Pool({"p": SMALL.entries["p"][:1]}), prm=0.25).save(tmp_path / "pool.jsonl")
    header, first, *rest = [json.loads(line) for line in (tmp_path / "pool.jsonl").read_text().splitlines()]
    assert header == {"searchkit_pool": 2}
    assert first == {
        "problem": "p", "value": "4", "key": "4", "score": 0.5, "correct": True, "generated_tokens": 7,
        "prompt_tokens": 3, "finish": "stop", "usd": 0.0, "scores": {}, "unknown": False, "feedback": "",
    }  # fmt: skip
    assert rest[3:] == [
        {"saved": 4},
        {"problem": "p", "sample": 0, "score": 0.5, "scores": {"prm": 0.25}},
        {"saved": 1},
    ]


def test_a_file_without_verdicts_of_that_kind_still_loads(tmp_path):
    """What was saved before entries knew of unknown verdicts: nothing is known to be unknown."""
    line = {"problem": "p", "value": "4", "key": "4", "score": 0.5, "correct": True, "generated_tokens": 7}
    path = tmp_path / "pool.jsonl"
    path.write_text('{"searchkit_pool": 2}\n' + json.dumps(line) + '\n{"saved": 1}\n')
    assert Pool.load(path) == Pool({"p": (Entry("4", "4", 0.5, True, 7),)})


def test_another_wording_of_a_verdict_is_no_other_sample(tmp_path):
    """Feedback may name the sandbox of a machine; whether a verdict is unknown is another matter."""
    pool = Pool({"p": (Entry("4", feedback="equal"), Entry("x", unknown=True, feedback="too slow"))})
    pool.save(tmp_path / "pool.jsonl")
    worded = Pool({"p": tuple(replace(entry, feedback="") for entry in pool.entries["p"])})
    worded.save(tmp_path / "pool.jsonl")
    assert Pool.load(tmp_path / "pool.jsonl") == pool
    known = Pool({"p": (pool.entries["p"][0], replace(pool.entries["p"][1], unknown=False))})
    with pytest.raises(ConfigError, match="another sample 1"):
        known.save(tmp_path / "pool.jsonl")
