"""The page of a pool: its samples and figures, hostile texts, bounds, the command, and clicks in a real browser."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html import unescape

import pytest

from searchkit.cli import main
from searchkit.errors import ConfigError
from searchkit.experiments import Entry, Pool, gap_report, to_parquet
from searchkit.experiments.report import pool_data, pool_report
from tests.experiments.report.reports import HOSTILE, Page
from tests.views.test_views import CHROMIUM, browse

POOL = Pool(
    {
        "first": (
            Entry("it is 4", "4", 0.9, True, 7), Entry("it is 5", "5", 0.95, False, 9), Entry("?", None, unknown=True),
        ),
        "second": (
            Entry("it is 6", "6", 0.9, True), Entry("it is 7", "7", 0.9), Entry("a timeout", finish="error"),
        ),
    }
)  # fmt: skip


def test_every_sample_is_listed_with_its_rank(tmp_path):
    """Equal scores share the better rank; what has none has no rank; figures are those of the report."""
    found = gap_report(POOL)
    page = Page.of(pool_report(POOL, found, tmp_path / "pool.html", "mine"))
    rows = page.data["rows"]
    assert rows["problem"] == [0, 0, 0, 1, 1, 1]
    assert rows["number"] == [0, 1, 2, 0, 1, 2]
    assert rows["rank"] == [2, 1, None, 1, 1, None]
    assert [pool_data.VERDICTS[verdict] for verdict in rows["verdict"]] == [
        "right", "wrong", "unknown", "right", "wrong", "failed"
    ]  # fmt: skip
    assert rows["key"] == ["4", "5", None, "6", "7", None]
    assert page.data["told"] == {"state": "2 problems, 6 samples", "diagnosis": POOL.diagnosis, "cut": 0}
    for cell in found.grid()[-1]:
        assert cell in page.text
    for said in found.sentences():
        assert said in unescape(page.text)
    assert "<title>mine: pool</title>" in page.text


def test_hostile_texts_are_data(tmp_path):
    """As a problem's id, a text, an answer, a feedback and a title: no element, no style, nothing that loads."""
    pool = Pool(
        {f"{i} {text}": (Entry(text, text[:90], 0.5, True), Entry(text, unknown=True, feedback=text))
         for i, text in enumerate(HOSTILE)}
    )  # fmt: skip
    page = Page.of(pool_report(pool, gap_report(pool), tmp_path / "pool.html", HOSTILE[0]))
    assert not [tag for tag, _ in page.elements if tag in ("img", "iframe", "link", "object")]
    assert len(page.parts("script")) == 2
    assert not [attrs for _, attrs in page.elements if "style" in attrs or any(name.startswith("on") for name in attrs)]
    assert [text[0] if isinstance(text, list) else text for text in page.data["rows"]["text"][::2]] == [
        text[:4000] for text in HOSTILE
    ]


def test_what_does_not_fit_is_left_out_and_told(tmp_path, monkeypatch):
    """Whole problems, but for the first."""
    monkeypatch.setattr(pool_data, "MOST_ROWS", 4)
    assert len(pool_data.pool_data(POOL)["rows"]["text"]) == 3
    assert pool_data.pool_data(POOL)["told"]["cut"] == 3
    monkeypatch.setattr(pool_data, "MOST_ROWS", 2)
    assert pool_data.pool_data(POOL)["told"]["cut"] == 4


def test_a_page_needs_a_folder_and_a_name(tmp_path):
    """As the report of a sweep."""
    for path in (tmp_path / "pool.txt", tmp_path / "none" / "pool.html"):
        with pytest.raises(ConfigError, match=r"a report is an \.html file in a folder that exists"):
            pool_report(POOL, gap_report(POOL), path)


def test_the_command_takes_a_pool(tmp_path, capsys):
    """As JSON lines or Parquet: the table, then the page's path; options about sweeps are refused."""
    POOL.save(tmp_path / "mine.jsonl")
    assert main(["report", str(tmp_path / "mine.jsonl")]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == str(tmp_path / "mine.html")
    assert said[:-1] == gap_report(POOL).table().splitlines()
    pytest.importorskip("pyarrow")
    to_parquet(POOL, tmp_path / "other.parquet")
    assert main(["report", str(tmp_path / "other.parquet"), "--to", str(tmp_path / "to.html")]) == 0
    assert (tmp_path / "to.html").exists()
    for option in (["--follow"], ["--rejudged", str(tmp_path)], ["--traces", "2"]):
        assert main(["report", str(tmp_path / "mine.jsonl"), *option]) == 2
    assert main(["report", str(tmp_path / "no.jsonl")]) == 2
    (tmp_path / "other.jsonl").write_text("{}\n")
    assert main(["report", str(tmp_path / "other.jsonl")]) == 2


DRIVER = """
const get = id => document.getElementById(id), all = path => [...document.querySelectorAll(path)];
const choose = (i, value) => {
  const select = all("#samples select")[i];
  select.value = value;
  select.dispatchEvent(new Event("change"));
};
const texts = () => all("#samples tbody .sample-line td:last-child").map(td => td.textContent);
const seen = {all: texts(), found: get("samples").querySelector("[role=status]").textContent};
choose(0, "right"); seen.right = texts();
choose(0, "all verdicts"); choose(1, "best score, not right"); seen.fooled = texts();
choose(1, "all samples");
all("#samples th button").find(b => b.textContent === "score").click(); seen.sorted = texts();
all("#samples .sample-line")[0].click(); seen.open = all("#samples .below pre").map(pre => pre.textContent);
all("#samples .sample-line")[0].click(); seen.closed = all("#samples .below").length;
all("#samples th button").find(b => b.textContent === "score").click(); seen.ascending = texts();
document.title = JSON.stringify(seen);
"""


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_filters_sorting_and_clicks_in_a_browser(tmp_path):
    """Verdicts, wrong choices, scores up and down with what has none last, a text that opens and closes."""
    path = pool_report(POOL, gap_report(POOL), tmp_path / "pool.html")
    allowed = base64.b64encode(hashlib.sha256(DRIVER.encode()).digest()).decode()
    page = path.read_text().replace("script-src '", f"script-src 'sha256-{allowed}' '", 1)
    path.write_text(page.replace("</body>", f"<script>{DRIVER}</script></body>"))
    seen = json.loads(unescape(re.search("<title>(.*?)</title>", browse(path.as_uri(), tmp_path / "user"))[1]))
    assert seen["all"] == ["it is 4", "it is 5", "?", "it is 6", "it is 7", "a timeout"]
    assert seen["found"] == "6 samples"
    assert seen["right"] == ["it is 4", "it is 6"]
    assert seen["fooled"] == ["it is 5", "it is 7"]
    assert seen["sorted"] == ["it is 5", "it is 4", "it is 6", "it is 7", "?", "a timeout"]
    assert seen["open"] == ["it is 5"]
    assert seen["closed"] == 0
    assert seen["ascending"] == ["it is 4", "it is 6", "it is 7", "it is 5", "?", "a timeout"]
