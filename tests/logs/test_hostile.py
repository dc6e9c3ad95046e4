"""Files that nobody should trust: bombs, odd names, damage, the wrong kinds. Each is told by its row, with the fix."""

from __future__ import annotations

import gzip
import json
import os
import struct
import zipfile

import pytest

from searchkit.errors import ConfigError
from searchkit.experiments import Pool
from searchkit.logs import FieldNames, How, bounded, import_log, monkeys, read_log, write_log
from tests.logs.made import HEADER, batch_row, eval_log, harness_row, inspect_sample, lines

DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", r"x.jsonl, line 2: it cannot be read as JSON .*: mend or delete the line"),
        ("[1]", r"line 2: not a JSON object but list"),
        (f'{{"problem": 1, "value": {DEEP}}}', r"line 2: it cannot be read as JSON \(.*nested .*\)"),
        (f'{{"problem": 1, "value": {"[" * 200}{"]" * 200}}}', r"line 2: .*nested more than 128 levels"),
        ('{"value": "x"}', r"line 2: the field 'problem' must be a problem's id.*got None.*--field problem=NAME"),
        ('{"problem": 1.5, "value": "x"}', r"line 2: the field 'problem' must be"),
        ('{"problem": "", "value": "x"}', r"line 2: the field 'problem' must be"),
        ('{"problem": 1, "text": "x"}', r"line 2: no field 'value'; it has 'problem', 'text': .*--field value=NAME"),
        ('{"problem": 1, "value": "x", "correct": "maybe"}', r"line 2: correct must be true, false, a finite"),
        ('{"problem": 1, "value": "x", "correct": 1e400}', r"line 2: correct must be .* finite number .*got inf"),
        ('{"problem": 1, "value": "x", "score": -Infinity}', r"line 2: score must be .* finite number .*got -inf"),
        ('{"problem": 1, "value": "x", "score": []}', r"line 2: score must be"),
        ('{"problem": 1, "value": ["x"], "correct": [true, false]}', r"line 2: 1 samples and 2 entries of correct"),
        ('{"problem": 1, "value": "x", "generated_tokens": -1}', r"line 2: tokens are a whole number >= 0, got -1"),
        ('{"problem": 1, "value": "x", "generated_tokens": 1e400}', r"line 2: tokens are a whole number >= 0, got inf"),
        ('{"problem": 1, "value": "x", "usd": NaN}', r"line 2: a cost is a number >= 0 in USD, got nan"),
        ('{"problem": 1, "value": "x", "usd": true}', r"line 2: a cost is a number"),
    ],
    ids=lambda text: text[:40],
)
def test_a_line_that_is_no_sample_is_named(tmp_path, line, said):
    """And nothing is written."""
    path = tmp_path / "x.jsonl"
    path.write_text('{"problem": 1, "value": "fine"}\n' + line + "\n")
    with pytest.raises(ConfigError, match=said):
        import_log(path, tmp_path / "pool.jsonl")
    assert [one.name for one in tmp_path.iterdir()] == ["x.jsonl"]


@pytest.mark.parametrize("odd", [None, True, 3, "x", [], {}, [1], {"a": 1}, 1e400, "\ud800"], ids=repr)
@pytest.mark.parametrize("name", ["id", "epoch", "input", "target", "output", "scores", "error", "limit", "model_usage",
                                  "role_usage"])  # fmt: skip
def test_odd_fields_of_inspect_are_told_or_left(tmp_path, name, odd):
    """Nothing but a `ConfigError` comes of them, and no sample of theirs is right that was not."""
    path = eval_log(
        tmp_path / "x.eval", inspect_sample(epoch=1, value="I") | {} if name == "epoch" else inspect_sample()
    )
    sample = inspect_sample(value="I") | {name: odd}
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("header.json", json.dumps(HEADER))
        file.writestr("samples/1_epoch_1.json", json.dumps(sample))
    try:
        found = read_log(path)
    except ConfigError:
        return
    assert not any(entry.correct for _, entry in found.pool.samples())


@pytest.mark.parametrize("odd", [None, True, 3, "x", [], {}, [1], [[]], [[[]]], {"a": 1}, "\ud800"], ids=repr)
@pytest.mark.parametrize("name", ["doc_id", "arguments", "resps", "filtered_resps", "filter", "metrics", "target"])
def test_odd_fields_of_the_harness_are_told_or_left(tmp_path, name, odd):
    """The same."""
    path = lines(tmp_path / "samples_x.jsonl", harness_row(exact_match=0.0) | {name: odd})
    try:
        found = read_log(path, "lm-eval")
    except ConfigError:
        return
    assert not any(entry.correct for _, entry in found.pool.samples())


@pytest.mark.parametrize("odd", [None, True, 3, "x", [], {}, [1], {"a": 1}, {"choices": 3}, {"choices": [3]}], ids=repr)
@pytest.mark.parametrize("name", ["custom_id", "response", "error"])
def test_odd_fields_of_a_batch_are_told_or_left(tmp_path, name, odd):
    """The same; a body is read as an answer of the API is."""
    for row in (batch_row("p", "4") | {name: odd}, batch_row("p", "4", response={"status_code": 200, "body": odd})):
        path = lines(tmp_path / "x.jsonl", row)
        try:
            found = read_log(path, "openai-batch")
        except ConfigError:
            continue
        assert not any(entry.correct for _, entry in found.pool.samples())


# ------------------------------------------------------------------------------------------------ archives


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    """By what its directory says; any file may unpack to a little."""
    monkeypatch.setattr(bounded, "SMALL", 2**20)
    monkeypatch.setattr(bounded, "RATIO", 500)
    path = tmp_path / "x.eval"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("header.json", json.dumps(HEADER))
        for i in range(4):
            file.writestr(f"samples/{i}_epoch_1.json", b" " * 2**20)
    with pytest.raises(ConfigError, match=r"unpacks to [0-9,]+ bytes, [5-9][0-9]+ times its size"):
        read_log(path)


def test_a_directory_that_lies_about_sizes(tmp_path):
    """A member that is larger than it says is damaged, and no more of it is unpacked."""
    path = eval_log(tmp_path / "x.eval", inspect_sample(said="x" * 5000))
    raw = bytearray(path.read_bytes())
    place = raw.rfind(b"PK\x01\x02")
    raw[place + 24 : place + 28] = struct.pack("<I", 100)
    path.write_bytes(raw)
    with pytest.raises(ConfigError, match=r"member 'samples/1_epoch_1.json'.*(damaged|cannot be read)"):
        read_log(path)


@pytest.mark.parametrize(
    "name", ["../../evil", "/etc/passwd", "C:\\x", "a/b/../c", "\u202e", "a\nb", "x" * 5000, "1_epoch_2.json"]
)
def test_names_in_a_zip_are_no_paths(tmp_path, name):
    """Whatever they say, nothing is written; an id is a text."""
    sample = inspect_sample(id=name)
    found = read_log(eval_log(tmp_path / "x.eval", sample))
    assert list(found.pool.entries) == [name]
    assert [one.name for one in tmp_path.iterdir()] == ["x.eval"]


def test_damaged_and_foreign_archives(tmp_path):
    """Cut off, flipped, encrypted, another zip, no samples: each a sentence."""
    whole = eval_log(tmp_path / "x.eval", inspect_sample()).read_bytes()
    bad = tmp_path / "bad.eval"
    for content, said in [
        (whole[:-30], "cannot be read"),
        (whole[:40], "cannot be read"),
        (whole.replace(b"PK\x03\x04", b"PK\x03\x05"), "cannot be read|none of the logs"),
        (b"PK\x03\x04" + bytes(100), "cannot be read"),
        (b"", "is empty"),
        (bytes(1000), "none of the logs"),
    ]:
        bad.write_bytes(content)
        with pytest.raises(ConfigError, match=said):
            read_log(bad)
    for place in range(30, len(whole) - 22, 7):
        bad.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            found = read_log(bad, "inspect")
        except ConfigError:
            continue
        assert [e.correct for _, e in found.pool.samples()] == [True]
    with zipfile.ZipFile(bad, "w") as file:
        file.writestr("word/document.xml", "x")
    with pytest.raises(ConfigError, match="no log of Inspect"):
        read_log(bad)
    with pytest.raises(ConfigError, match="there is no sample in it"):
        read_log(eval_log(tmp_path / "none.eval"))


def test_lines_and_members_have_a_longest(tmp_path, monkeypatch):
    """The bound is far above any sample; here it is small."""
    monkeypatch.setattr(bounded, "LONGEST", 1000)
    path = lines(tmp_path / "x.jsonl", {"problem": 1, "value": "x" * 2000})
    with pytest.raises(ConfigError, match=r"x.jsonl, line 1: longer than"):
        read_log(path)
    monkeypatch.setattr(bounded, "LARGEST", 1000)
    with pytest.raises(ConfigError, match=r"member 'samples/1_epoch_1.json': larger than"):
        read_log(eval_log(tmp_path / "x.eval", inspect_sample(said="x" * 2000)))
    with pytest.raises(ConfigError, match="at most 1,000 are read in one piece: convert it"):
        read_log(lines(tmp_path / "x.json", {**HEADER, "samples": [inspect_sample(said="x" * 2000)]}))


def test_a_dense_line_is_refused_before_it_is_read(tmp_path, monkeypatch):
    """Empty lists take forty times their text in memory."""
    monkeypatch.setattr(bounded, "MOST_PARTS", 1000)
    path = lines(tmp_path / "x.jsonl", {"problem": 1, "value": [[]] * 2000})
    with pytest.raises(ConfigError, match=r"line 1: .*has 2002 brackets, and at most 1000 are read"):
        read_log(path)


def test_gzip_bombs_and_damaged_gzip(tmp_path, monkeypatch):
    """Bounded by the size of the file."""
    monkeypatch.setattr(bounded, "SMALL", 1000)
    monkeypatch.setattr(bounded, "RATIO", 10)
    path = tmp_path / "x.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"problem": 1, "value": "x"}\n' * 10_000))
    with pytest.raises(ConfigError, match="unpacks to more than 10 times its size"):
        read_log(path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ConfigError, match=r"cannot be read|unpacks to more"):
        read_log(path)


YAML_BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nsamples: [*b, *b]\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (YAML_BOMB, "it has aliases"),
        ("samples: !!python/object/apply:os.system ['echo evil']", "cannot be read as YAML"),
        ("[" * 5000 + "]" * 5000, "cannot be read as YAML"),
        ("- a", "no mapping but list"),
        ("samples: text", "no list of samples"),
        ("a: [", "cannot be read as YAML"),
        ("\x00", "cannot be read as YAML"),
    ],
    ids=["aliases", "object", "deep", "list", "text", "open", "control"],
)
def test_yaml_is_data_and_bounded(tmp_path, text, said):
    """No object is made of it."""
    pytest.importorskip("yaml")
    path = tmp_path / "1.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_log(path)
    assert monkeys.NAME == "monkeys"


# ------------------------------------------------------------------------------------------------ what is asked for


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: How(threshold=float("nan")), "threshold is a number"),
        (lambda: How(threshold=True), "threshold is a number"),
        (lambda: How(key="boxed"), "key is a callable"),
        (lambda: How(prices=(-1.0, 0.0)), "prices are two numbers"),
        (lambda: FieldNames(value=""), "names of problem and value"),
        (lambda: FieldNames(value=3), "the name of a field"),
        (lambda: FieldNames.of(["nonsense"]), "NAME=FIELD with one of problem, value"),
        (lambda: FieldNames.of(["colour=x"]), "NAME=FIELD with one of"),
    ],
)
def test_settings_that_cannot_be(make, said):
    """Before anything is read."""
    with pytest.raises(ConfigError, match=said):
        make()


def test_settings_that_say_nothing_of_a_log_are_refused(tmp_path):
    """Or somebody would believe that they did something."""
    path = lines(tmp_path / "x.jsonl", {"problem": 1, "value": "x"})
    for how in (How(correct="a"), How(score="a"), How(filter="a"), How(problem="(a)")):
        with pytest.raises(ConfigError, match=r"says nothing of a log of jsonl, leave it out; .* \(--field\)"):
            read_log(path, how=how)
    with pytest.raises(ConfigError, match="fields says nothing of a log of inspect"):
        read_log(eval_log(tmp_path / "x.eval", inspect_sample()), how=How(fields=FieldNames(value="x")))


@pytest.mark.parametrize(
    ("pattern", "said"), [("(", "no regular expression"), (".*", "needs one group"), ("(x)", "does not match")]
)
def test_expressions_that_find_no_problem(tmp_path, pattern, said):
    """Told with the id."""
    with pytest.raises(ConfigError, match=said):
        read_log(lines(tmp_path / "x.jsonl", batch_row("p-1", "4")), how=How(problem=pattern))


def test_arguments_of_another_kind_are_told(tmp_path):
    """Before anything is read or written; a pipe, which would never end, too."""
    path = lines(tmp_path / "x.jsonl", {"problem": 1, "value": "x"})
    pool = read_log(path).pool
    pool.save(tmp_path / "pool.jsonl")
    os.mkfifo(tmp_path / "pipe.jsonl")
    for call, said in [
        (lambda: read_log(None), "source"),
        (lambda: read_log(pool), "source"),
        (lambda: read_log([3]), "source is a file, a folder"),
        (lambda: read_log(path, how={"key": None}), "how is a How"),
        (lambda: read_log(tmp_path / "pool.jsonl"), "is a pool already"),
        (lambda: read_log(tmp_path / "pipe.jsonl"), "there is no such file"),
        (lambda: write_log(None, tmp_path / "y.csv", "csv"), "a source is a pool"),
        (lambda: write_log([pool], tmp_path / "y.csv", "csv"), "a source is a pool"),
        (lambda: write_log(pool, tmp_path / "y.csv", "csv", problems=["p"]), "problems are Problem objects"),
    ]:
        with pytest.raises(ConfigError, match=said):
            call()
    assert not (tmp_path / "y.csv").exists()


@pytest.mark.parametrize(
    ("key", "found"),
    [(lambda v: 1 / 0, None), (lambda v: float("nan"), None), (lambda v: [v], "['x']"), (lambda v: 2, 2), (len, 1)],
)
def test_keys_of_your_own_are_code_of_others(tmp_path, key, found):
    """One that raises abstains; what it finds can be saved."""
    path = lines(tmp_path / "x.jsonl", {"problem": 1, "value": "x"})
    import_log(path, tmp_path / "pool.jsonl", how=How(key=key))
    assert [e.key for _, e in Pool.load(tmp_path / "pool.jsonl").samples()] == [found]


def test_what_is_no_log(tmp_path):
    """No file, an empty folder, no known form, a form that is none."""
    for source, form, said in [
        (tmp_path / "nothing", None, "there is no such file"),
        (tmp_path, None, "there is no log"),
        ([], None, "there is no log"),
        (tmp_path, "xml", "there is no form 'xml': choose from inspect, lm-eval"),
    ]:
        with pytest.raises(ConfigError, match=said):
            read_log(source, form)
    (tmp_path / "x.json").write_text("<xml>")
    with pytest.raises(ConfigError, match="none of the logs that are known"):
        read_log(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [(b"", "is empty"), (b"\n \r\n", "is empty"), (b"\xef\xbb\xbf\n", "is empty"), (gzip.compress(b""), "is empty"),
     (b'[{"problem": 1}]', "one list of JSON: write its entries a line each")],
    ids=["nothing", "blanks", "mark", "packed", "list"],
)  # fmt: skip
def test_a_file_without_lines_is_told_for_what_it_is(tmp_path, text, said):
    (tmp_path / "x.jsonl").write_bytes(text)
    with pytest.raises(ConfigError, match=said):
        read_log(tmp_path / "x.jsonl")


def test_problems_whose_names_no_file_can_hold_stay_apart(tmp_path):
    (tmp_path / "x.jsonl").write_text("".join(f'{{"problem": "\\ud80{i}", "value": "x"}}\n' for i in range(3)))
    assert len(read_log(tmp_path / "x.jsonl").pool) == 3
