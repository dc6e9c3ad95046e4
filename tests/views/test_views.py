"""Views of trees: what is kept when they are cut, hostile texts in every format, live drawing in a real terminal."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from html import unescape
from typing import Any

import networkx
import pytest

from searchkit.errors import ConfigError
from searchkit.tree import ROOT, Tree
from searchkit.views import compare, dot, html, iframe, mermaid, save, text
from tests.helpers.pages import Page
from tests.helpers.terminal import columns_used

HOSTILE = (
    "</script><script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "<!--<script>",
    "]]> &lt; &amp; &#60;",
    "\"double\" 'single' `back` \\ backslash",
    "one\ntwo\r\nthree\ttab",
    "line\u2028separator\u2029paragraph",
    "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x9b2J \x00",
    "\u202eright to left\u202c \u200b \ufeff",
    "lone \ud800 surrogate",
    '"]; n1 --> n0; click n0 "javascript:alert(1)"',
    "漢字" * 200,
    "e\u0301" * 200,
    "x" * 1_000_000,
    "",
    " \n ",
)


def hostile():
    """One child for each text, and the first text as the root."""
    tree = Tree(text=HOSTILE[0])
    for words in HOSTILE:
        tree.backup(tree.add(ROOT, words), 0.5)
    return tree


def grown(seed, nodes):
    """A random tree with as many backups as nodes."""
    rng = random.Random(seed)
    tree = Tree(text="prompt")
    while len(tree) < nodes:
        node = tree.add(rng.randrange(len(tree)), f"step {len(tree)}", terminal=rng.random() < 0.1)
        tree.backup(node, rng.random())
        if rng.random() < 0.3:
            tree.score[node] = rng.random()
    return tree


# -------------------------------------------------------------------- text


def test_text_is_what_a_reader_can_check():
    """A whole small tree."""
    tree = Tree(text="3 + 4 = ?")
    a, b = tree.add(ROOT, "think"), tree.add(ROOT, "guess", terminal=True)
    c = tree.add(a, "", terminal=True)
    tree.score[c], tree.score[b] = 1.0, 0.25
    tree.backup(c, 1.0)
    tree.backup(b, 0.25)
    tree.close(b)
    tree.start(c)
    tree.failures[a] = 2
    assert text(tree).split("\n") == [
        "4 nodes, depth 2, 2 visits",
        "0.625 (2) [1 in flight] 3 + 4 = ?",
        "├─ 1 (1) [1 in flight, 2 failed] think",
        "│  └─ 1 (1) [score 1, end, 1 in flight] (empty)",
        "└─ 0.25 (1) [score 0.25, end] guess",
    ]


@pytest.mark.parametrize("most", [1, 2, 7, 60, 400, 1000])
def test_text_keeps_the_most_visited_nodes_and_counts_the_rest(most):
    """The visits shown are the greatest of the tree, and shown plus counted nodes are all nodes."""
    tree = grown(1, 400)
    lines = text(tree, most=most, width=160).split("\n")[1:]
    counted = sum(int(m[1].replace(",", "")) for line in lines if (m := re.search(r"\.\.\. ([\d,]+) more$", line)))
    shown = [int(m[1].replace(",", "")) for line in lines if (m := re.search(r"^[ │├└─…]*\S+ \(([\d,]+)\)", line))]
    assert len(shown) == min(most, 400)
    assert len(shown) + counted == 400
    assert sorted(shown, reverse=True) == sorted(tree.visits, reverse=True)[: len(shown)]


def test_unvisited_nodes_are_kept_by_score_then_by_age():
    """A beam search scores its nodes and backs nothing up."""
    tree = Tree()
    for score in (0.1, 0.9, 0.5):
        tree.score[tree.add(ROOT, f"scored {score}")] = score
    tree.add(ROOT, "unscored")
    assert [line.split("] ")[-1] for line in text(tree, most=3).split("\n")[2:]] == ["scored 0.9", "scored 0.5",
                                                                                    "└─ ... 2 more"]  # fmt: skip


@pytest.mark.parametrize("width", [60, 61, 100, 300])
@pytest.mark.parametrize(
    "make", [hostile, lambda: grown(2, 500), lambda: chain(5000)], ids=["hostile", "random", "deep"]
)
def test_text_is_printable_and_never_wider_than_asked(make, width):
    """No control character, no lone surrogate, no override, in any line."""
    shown = text(make(), most=100, width=width)
    for line in shown.split("\n"):
        assert line.isprintable()
        assert columns_used(line) <= width
    shown.encode("utf-8")


def chain(depth):
    tree = Tree(text="root")
    node = ROOT
    for i in range(depth):
        node = tree.add(node, f"step {i}")
        tree.failures[node] = 12_345
    tree.backup(node, -1.234e-56)
    return tree


def test_colours_add_nothing_but_colours():
    """Without the escape sequences it is the plain text; the models' own are not among them."""
    for tree in (grown(3, 200), hostile()):
        coloured = text(tree, colour=True)
        assert coloured != text(tree)
        assert re.sub(r"\x1b\[\d+m", "", coloured) == text(tree)
        assert set(re.findall(r"\x1b\[(\d+)m", coloured)) <= {"0", "2", "31", "32", "33"}


@pytest.mark.parametrize(("view", "options"), [(text, {"most": 0}), (text, {"width": 59}), (mermaid, {"most": 0}),
                                               (dot, {"most": -1}), (html, {"most": 0})])  # fmt: skip
def test_impossible_sizes_are_refused(view, options):
    """With a sentence that says what is possible."""
    with pytest.raises(ConfigError, match=">= "):
        view(Tree(), **options)


# -------------------------------------------------------------------- html


def test_hostile_texts_add_no_element_to_the_page():
    """The page of a hostile tree has the same elements as the page of a harmless one, and all texts as data."""
    page, harmless = Page(html(hostile())), Page(html(Tree(text="harmless")))
    assert Counter(tag for tag, _ in page.elements) == Counter(tag for tag, _ in harmless.elements)
    assert page.data["text"] == [HOSTILE[0], *HOSTILE]
    assert [attrs for attrs, _ in page.parts("script")] == [{"type": "application/json", "id": "data"}, {}]
    assert page.parts("script")[1] == harmless.parts("script")[1]
    for _, attrs in page.elements:
        assert not [name for name in attrs if name.startswith("on") or name in ("src", "href", "style", "srcdoc")]


def test_the_page_is_ascii_in_its_data_and_loads_nothing():
    """No separators that old parsers take for line ends, no address but the SVG name space."""
    page = html(hostile())
    data = page[page.index('id="data">') : page.index("</script>")]
    assert data.isascii()
    assert not set("<>&") & set(data.removeprefix('id="data">'))
    assert set(re.findall(r"https?://[^\s\"']+", page)) == {"http://www.w3.org/2000/svg"}


def test_only_our_script_and_style_may_run():
    """The policy allows exactly the hashes of the two parts that are in the page."""
    page = Page(html(hostile()))
    [policy] = [a["content"] for tag, a in page.elements if a.get("http-equiv") == "Content-Security-Policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    for part, words in (("script", page.parts("script")[1][1]), ("style", page.parts("style")[0][1])):
        digest = base64.b64encode(hashlib.sha256(words.encode()).digest()).decode()
        assert rules[f"{part}-src"] == f"'sha256-{digest}'"


def test_the_data_of_the_page_is_the_tree():
    """Column by column, with null for what is missing; a cut page has the most visited nodes and says of how many."""
    tree = grown(5, 300)
    data = Page(html(tree)).data
    assert data["id"] == list(range(300))
    assert data["parent"] == list(tree.parent)
    assert data["visits"] == list(tree.visits)
    assert data["mean"] == pytest.approx([tree.mean(n) if tree.visits[n] else None for n in range(300)])
    cut = Page(html(tree, most=50)).data
    assert (cut["total"], len(cut["id"])) == (300, 50)
    assert sorted(cut["visits"]) == sorted(tree.visits)[-50:]
    for place, node in enumerate(cut["id"][1:], 1):
        assert cut["id"][cut["parent"][place]] == tree.parent[node]
        assert cut["parent"][place] < place


def test_values_that_json_does_not_know_are_null():
    """A reward model that returns an infinity must not make the page unreadable."""
    tree = Tree()
    tree.backup(tree.add(ROOT, "a", prior=float("nan")), float("inf"))
    data = Page(html(tree)).data
    assert (data["mean"], data["best"], data["prior"]) == ([None, None], [None, None], [1.0, None])


def test_saving_writes_the_page(tmp_path):
    """As UTF-8, with the title escaped."""
    save(hostile(), tmp_path / "tree.html", title='<b>"漢字"</b>\x1b')
    page = (tmp_path / "tree.html").read_text(encoding="utf-8")
    assert page == html(hostile(), title='<b>"漢字"</b>\x1b')
    assert "<title>&lt;b&gt;&quot;漢字&quot;&lt;/b&gt;\\x1b</title>" in page


def test_the_inline_frame_is_sandboxed_and_holds_the_whole_page():
    """One element, whose srcdoc is the page: scripts allowed, its origin its own."""
    tree = hostile()
    [(tag, attrs)] = Page(iframe(tree)).elements
    assert (tag, attrs["sandbox"]) == ("iframe", "allow-scripts")
    assert attrs["srcdoc"] == html(tree)


CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


def browse(address, user, until="--virtual-time-budget=2000"):
    """The document that Chromium ends up with."""
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
               "--disable-background-networking", "--disable-component-update", f"--user-data-dir={user}",
               until, "--dump-dom", address]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=60).stdout


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.parametrize("framed", [False, True], ids=["file", "frame"])
@pytest.mark.slow
def test_a_browser_draws_the_tree_and_runs_nothing_else(tmp_path, framed):
    """The page as a browser leaves it: a box a node with its text, the panel of the node in the address, our title."""
    tree, path = hostile(), tmp_path / "tree.html"
    page = iframe(tree) + "<title>outside</title>" if framed else html(tree, title="ours")
    path.write_text(page, encoding="utf-8")
    left = browse(f"{path.as_uri()}#2", tmp_path / "user")
    assert ("<title>outside</title>" if framed else "<title>ours</title>") in left
    if not framed:
        found = Page(left)
        boxes = [attrs for _, attrs in found.elements if "node" in (attrs.get("class") or "").split()]
        assert len(boxes) == len(tree)
        assert [attrs["id"] for attrs in boxes if attrs["aria-selected"] == "true"] == ["node-2"]
        assert not [tag for tag, _ in found.elements if tag == "img"]
        assert '<pre id="text" tabindex="0">&lt;img src=x onerror="document.title=\'owned\'"&gt;</pre>' in left


DRIVER = """<script>
const get = id => document.getElementById(id), seen = [], boxes = () => document.querySelectorAll(".node").length;
const press = key => get("view").dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true, cancelable: true}));
const choose = (id, value) => { get(id).value = value; get(id).dispatchEvent(new Event("change")); };
seen.push(boxes());
document.querySelector("[data-toggle='0']").click(); seen.push(boxes());
get("unfold").click(); seen.push(boxes() > 60);
for (let i = 0; i < 30; i++) get("unfold").click();
seen.push(boxes(), get("status").textContent.includes("the limit is 1,500"));
get("fold").click(); seen.push(boxes());
get("node-0").click(); press("ArrowRight"); seen.push(get("name").textContent, get("panel").hidden);
press("ArrowLeft"); seen.push(get("name").textContent);
get("search").value = "STEP 1999"; choose("filter", "any"); seen.push(get("found").textContent);
get("next").click(); seen.push(get("name").textContent, get("text").textContent, get("path").children.length);
choose("filter", "ends"); get("search").value = ""; choose("filter", "ends"); get("next").click();
seen.push(get("found").textContent, get("name").textContent);
document.title = JSON.stringify(seen);
</script></body>"""


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_a_browser_folds_unfolds_searches_and_walks(tmp_path):
    """Clicks and keys, with the policy taken out so that the test's own script may press them."""
    tree, path = grown(11, 2000), tmp_path / "tree.html"
    page = re.sub(r"<meta http-equiv[^>]*>", "", html(tree)).replace("</body>", DRIVER)
    path.write_text(page, encoding="utf-8")
    left = browse(path.as_uri(), tmp_path / "user")
    seen = json.loads(re.search("<title>(.*?)</title>", left)[1])
    ends = [n for n in range(len(tree)) if tree.terminal[n]]
    best = max(ends, key=lambda n: tree.mean(n))
    assert 20 < seen[0] < 200
    assert seen[1:] == [
        1, True, 1500, True, 1, "Node 1", False, "Node 0", "1 found", "Node 1999", "step 1999",
        tree.depth[1999] + 1, f"1 of {len(ends)}", f"Node {best}",
    ]  # fmt: skip


OPENED = """<script>
const get = id => document.getElementById(id), seen = [];
seen.push([...document.querySelectorAll(".node.answer")].map(box => Number(box.dataset.node)));
seen.push([...document.querySelectorAll(".star")].map(star => star.closest(".node").id), get("legend").children.length);
for (const id of ["node-0", "node-3"]) {
  get(id).click();
  seen.push([get("prompt").textContent, get("own").hidden, get("text").textContent, get("verdict").textContent,
             get("said").hidden, get("said").textContent]);
}
document.title = JSON.stringify(seen);
</script></body>"""


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_a_browser_marks_the_answer_and_opens_prompt_and_verdict(tmp_path):
    """The way to the answer, a star at its end, a legend; beside a node the prompt and what the verdict said."""
    tree = Tree(text="<b>2 + 2?</b>")
    tree.add(ROOT, "guess")
    end = tree.add(tree.add(ROOT, "think"), "4", terminal=True, score=0.5)
    tree.backup(end, 0.5)
    tree.answer, tree.feedback = end, {end: "<i>right</i>"}
    path = tmp_path / "tree.html"
    path.write_text(re.sub(r"<meta http-equiv[^>]*>", "", html(tree)).replace("</body>", OPENED), encoding="utf-8")
    seen = json.loads(unescape(re.search("<title>(.*?)</title>", browse(path.as_uri(), tmp_path / "user"))[1]))
    assert seen[:3] == [[0, 2, 3], ["node-3"], 3]
    assert seen[3] == [
        "<b>2 + 2?</b>", True, "<b>2 + 2?</b>", "mean 0.5 of 1 visit, on the way to the answer", True, "",
    ]  # fmt: skip
    said = "score 0.5, mean 0.5 of 1 visit, the answer that was chosen, an end"
    assert seen[4] == ["<b>2 + 2?</b>", False, "4", said, False, "<i>right</i>"]


LATE = """<div id="output" style="display: none">FRAME</div><iframe id="open"></iframe><script>
const [frame, open] = document.querySelectorAll("iframe"), seen = [];
open.contentDocument.open();  // until it is closed, the page is not loaded, and the browser waits
frame.addEventListener("load", async () => {
  const inside = frame.contentWindow, [root, view] = ["node-0", "view"].map(id => inside.document.getElementById(id));
  const middle = element => element.getBoundingClientRect().top + element.getBoundingClientRect().height / 2;
  const sized = height => new Promise(done => {  // how far the root is from the middle of the view at this height
    const watch = new inside.ResizeObserver(() => {  // comes after the page's own
      if (inside.innerHeight !== frame.clientHeight) return;
      watch.disconnect();
      done(Math.round(middle(root) - middle(view)));
    });
    watch.observe(view);
    frame.height = height;
    document.getElementById("output").style.display = "block";
  });
  seen.push(await sized(560), await sized(400));
  inside.document.getElementById("in").click();
  seen.push(await sized(600));
  document.title = JSON.stringify(seen);
  open.contentDocument.close();
});
</script>"""


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.slow
def test_a_frame_that_is_hidden_at_first_opens_at_the_root(tmp_path):
    """As in a notebook: fitted again whenever the frame gets another size, until the view is moved, here by a zoom."""
    path = tmp_path / "notebook.html"
    frame = iframe(grown(11, 2000)).replace(' sandbox="allow-scripts"', "")  # so that the test may look inside
    path.write_text(LATE.replace("FRAME", frame), encoding="utf-8")
    left = browse(path.as_uri(), tmp_path / "user", "--timeout=30000")
    assert json.loads(re.search("<title>(.*?)</title>", left)[1]) == [0, 0, (400 - 600) / 2]


# -------------------------------------------------------------------- Mermaid and DOT


def graph_of(lines, arrow):
    """Edges between tree nodes in a Mermaid or DOT text."""
    return {(int(m[1]), int(m[2])) for line in lines if (m := re.fullmatch(rf"\s*n(\d+) {arrow} n(\d+);?", line))}


@pytest.mark.parametrize(("view", "arrow"), [(mermaid, "-->"), (dot, "->")], ids=["mermaid", "dot"])
def test_graphs_have_the_edges_of_the_tree(view, arrow):
    """All of them if they fit; else those of the most visited nodes, with the number of those left out."""
    tree = grown(6, 150)
    assert graph_of(view(tree, most=150).split("\n"), arrow) == {(tree.parent[n], n) for n in range(1, 150)}
    cut = view(tree, most=20)
    edges = graph_of(cut.split("\n"), arrow)
    assert len(edges) == 19
    assert networkx.is_arborescence(networkx.DiGraph(edges))
    assert sum(int(n) for n in re.findall(r'"\.\.\. (\d+) more"', cut)) == 130


def test_mermaid_labels_hold_no_character_that_means_something():
    """Every line is a node or an edge; a label's only markup is our line break; decoded, it is the escaped text."""
    lines = mermaid(hostile()).rstrip("\n").split("\n")
    assert lines[0] == "flowchart LR"
    labels = [m[1] for line in lines if (m := re.fullmatch(r'    n\d+\(?\["([^"]*)"\]\)?', line))]
    assert len(labels) == len(HOSTILE) + 1
    assert len(lines) == 1 + len(labels) + len(HOSTILE)
    for label in labels:
        words, numbers = label.split("<br/>")
        assert re.fullmatch(r"(?:[\w .,:=+\-*/()?!'…]|#\d+;)*", words)
        assert re.fullmatch(r"0\.5 \(\d+\)", numbers)
    decoded = re.sub(r"#(\d+);", lambda m: chr(int(m[1])), labels[5].split("<br/>")[0])
    assert decoded == "\"double\" 'single' `back` \\ backslash"


def test_dot_labels_are_one_quoted_string_each():
    """Read back by the rules of the language, they are the escaped texts."""
    labels = [m[1] for line in dot(hostile()).split("\n") if (m := re.match(r'    n\d+ \[label="(.*)"\];$', line))]
    assert len(labels) == len(HOSTILE) + 1
    for label in labels:
        assert re.fullmatch(r'(?:[^"\\]|\\["\\n])*', label)
    assert labels[5] == r"\"double\" 'single' `back` \\ backslash\n0.5 (1)"
    assert labels[4].startswith("]]> &amp;lt; &amp;amp; &amp;#60;")


@pytest.mark.skipif(shutil.which("dot") is None, reason="needs Graphviz")
def test_graphviz_reads_dot():
    """And counts the same nodes and edges."""
    for tree in (hostile(), grown(7, 150)):
        ran = subprocess.run(["dot", "-Tplain"], input=dot(tree), capture_output=True, text=True, encoding="utf-8",
                             timeout=60)  # fmt: skip
        assert (ran.returncode, ran.stderr) == (0, "")
        kinds = Counter(line.split(" ", 1)[0] for line in ran.stdout.split("\n"))
        assert (kinds["node"], kinds["edge"]) == (len(tree), len(tree) - 1)


# -------------------------------------------------------------------- compare


def test_a_comparison_is_what_a_reader_can_check():
    """One branch only in a, one only in b, one node changed; equal texts match in order."""
    a, b = Tree(text="root"), Tree(text="root")
    for tree, words in ((a, ("same", "same", "mine", "changed")), (b, ("changed", "same", "same", "yours"))):
        for word in words:
            tree.add(ROOT, word)
    a.add(3, "below mine")
    b.backup(1, 1.0)
    assert compare(a, b).split("\n") == [
        "a: 6 nodes, b: 5 nodes; 4 in both (2 changed), 2 only in a, 1 only in b",
        "only in a:",
        "  - (0), 2 nodes: mine",
        "only in b:",
        "  - (0), 1 node: yours",
        "changed, a -> b:",
        "  - (0) -> 1 (1): (root)",
        "  - (0) -> 1 (1): changed",
    ]


@pytest.mark.parametrize("seed", range(4))
def test_counts_agree_with_multisets_of_paths(seed):
    """Nodes are what their path of texts is; how many are equal is a question about two multisets."""
    a, b = few_words(seed), few_words(seed + 100)
    of_a, of_b = (Counter(tuple(t.text[n] for n in t.path(i)) for i in range(len(t))) for t in (a, b))
    first = compare(a, b).split("\n")[0]
    both, only_a, only_b = (
        int(re.search(rf"([\d,]+) {what}", first)[1]) for what in ("in both", "only in a", "only in b")
    )
    if all(n == 1 for n in (of_a | of_b).values()):
        assert (both, only_a, only_b) == ((of_a & of_b).total(), (of_a - of_b).total(), (of_b - of_a).total())
    assert (both + only_a, both + only_b) == (len(a), len(b))


def few_words(seed):
    """A tree whose siblings have different texts, of few words."""
    rng = random.Random(seed)
    tree = Tree(text="root")
    for _ in range(300):
        parent, word = rng.randrange(len(tree)), rng.choice("abcd")
        if word not in {tree.text[child] for child in tree.children(parent)}:
            tree.backup(tree.add(parent, word), rng.random())
    return tree


def test_equal_trees_differ_in_nothing():
    """One line, for any tree, after a round trip."""
    tree = grown(8, 200)
    assert compare(tree, Tree.from_json(tree.to_json())) == (
        "a: 200 nodes, b: 200 nodes; 200 in both (0 changed), 0 only in a, 0 only in b"
    )


@pytest.mark.parametrize("width", [60, 100])
def test_a_comparison_is_bounded_and_printable(width):
    """However large the trees, deep the paths and long the texts."""
    deep, other = chain(5000), chain(5000)
    other.backup(4000, 1.0)
    for a, b in ((hostile(), Tree()), (Tree(), hostile()), (grown(9, 2000), grown(10, 2000)), (deep, other)):
        lines = compare(a, b, most=5, width=width).split("\n")
        assert len(lines) <= 2 + 3 * 7
        assert all(line.isprintable() and columns_used(line) <= max(width, len(lines[0])) for line in lines)
    with pytest.raises(ConfigError):
        compare(deep, other, most=0)


# -------------------------------------------------------------------- live


@pytest.mark.parametrize("view", [text, html, mermaid, dot])
@pytest.mark.parametrize("thing", [None, "a tree"])
def test_what_is_no_tree_is_refused_with_what_to_do(view: Callable[[Any], str], thing: Any) -> None:
    with pytest.raises(ConfigError, match=r"a view shows a search tree, such as .* print\(result.trace.render\(\)\)"):
        view(thing)
