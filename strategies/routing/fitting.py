"""How likely each arm is right, by the words of a prompt: logistic regression on hashed features."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import mul
from zlib import crc32

from searchkit.errors import ConfigError
from searchkit.kinds import is_number, told
from searchkit.strategies.routing.rows import Tried, by_prompt, checked

Vector = list[float]
BUCKETS = 512  # what words and pairs of words are hashed to
WORD = re.compile(r"\w+|[^\w\s]")
LONGEST = 20_000  # characters that are read
STEPS = 50  # of Newton's method; it takes about six
CLOSE = 1e-6  # the slope of the likelihood where it ends, a prompt


@dataclass(frozen=True)
class Words:
    """weights: of each arm, one for each bucket, then length, numbers and the constant."""

    weights: dict[str, tuple[float, ...]] = field(repr=False)

    def __call__(self, text: str) -> dict[str, float]:
        """Of each arm the chance that it is right."""
        features = features_of(text)
        return {
            arm: _sigmoid(math.fsum(column[i] * value for i, value in features.items()))
            for arm, column in self.weights.items()
        }


def features_of(text: str) -> dict[int, float]:
    """Hashed words and pairs of words, scaled to length 1 together; how long the text is, how many numbers it has."""
    words = WORD.findall(text[:LONGEST].casefold())
    kinds = ["#" if word[0].isdigit() else word for word in words]  # the numbers of a question say little
    grams = [*kinds, *map(" ".join, itertools.pairwise(kinds))]
    found: dict[int, float] = {}
    for gram in grams:
        bucket = crc32(gram.encode("utf-8", "surrogatepass")) % BUCKETS
        found[bucket] = found.get(bucket, 0.0) + 1.0
    length = math.sqrt(math.fsum(n * n for n in found.values())) or 1.0
    found = {bucket: n / length for bucket, n in found.items()}
    found[BUCKETS] = math.log1p(len(words)) / 4
    found[BUCKETS + 1] = math.log1p(kinds.count("#")) / 2
    found[BUCKETS + 2] = 1.0
    return found


def words_model(rows: Sequence[Tried], arms: Sequence[str], ridge: float) -> Words:
    """What `Router.fit(by="words")` chooses by."""
    if not is_number(ridge) or not 0 < ridge < math.inf:
        raise ConfigError(f"ridge is a finite number > 0, got {told(ridge)}")
    tries = by_prompt(rows, arms)
    features = {text: features_of(text) for text in tries}
    weights = {}
    for arm in arms:
        tried = {text: found[arm] for text, found in tries.items() if arm in found}
        if not tried:
            raise ConfigError(f"there is no row of the arm {arm!r}: a router learns from tries of each of its arms")
        shares = [math.fsum(one[0] for one in column) / len(column) for column in tried.values()]
        weights[arm] = tuple(_regress(_Matrix([features[text] for text in tried], BUCKETS + 3), shares, ridge))
    return Words(weights)


def mean_costs(rows: Sequence[Tried], arms: Sequence[str]) -> dict[str, float]:
    """What a try of each arm cost."""
    spent: dict[str, list[float]] = {arm: [] for arm in arms}
    for row in rows:
        _, arm, _, cost, _ = checked(row)
        if arm in spent:
            spent[arm].append(cost)
    return {arm: math.fsum(costs) / len(costs) for arm, costs in spent.items() if costs}


class _Matrix:
    """A sparse matrix, by rows and by columns."""

    def __init__(self, rows: Sequence[Mapping[int, float]], width: int) -> None:
        columns = [dict[int, float]() for _ in range(width)]
        for i, row in enumerate(rows):
            for j, value in row.items():
                columns[j][i] = value
        self._rows, self._columns = ([(list(one), list(one.values())) for one in lines] for lines in (rows, columns))

    def times(self, x: Vector) -> Vector:
        """[rows]."""
        return [_dot(values, [x[j] for j in at]) for at, values in self._rows]

    def back(self, y: Vector) -> Vector:
        """[columns]: the product with the transposed one."""
        return [_dot(values, [y[i] for i in at]) for at, values in self._columns]

    def diagonal(self, bends: Vector) -> Vector:
        """[columns]: the diagonal of the product of the transposed one, these, and this."""
        return [_dot([v * v for v in values], [bends[i] for i in at]) for at, values in self._columns]


def _regress(matrix: _Matrix, shares: Vector, ridge: float) -> Vector:
    """The weights of greatest penalised likelihood, by Newton's method; length, numbers, constant are hardly held."""
    width = BUCKETS + 3
    penalty = [ridge] * (width - 3) + [ridge / 100] * 3
    mean = (math.fsum(shares) + 0.5) / (len(shares) + 1)
    start = [0.0] * (width - 1) + [math.log(mean / (1 - mean))]  # what is shrunk to
    weights = start
    for _ in range(STEPS):
        chances = [_sigmoid(max(-30.0, min(30.0, logit))) for logit in matrix.times(weights)]
        pull = matrix.back([p - share for p, share in zip(chances, shares, strict=True)])
        slope = [g + c * (w - w0) for g, c, w, w0 in zip(pull, penalty, weights, start, strict=True)]
        if max(map(abs, slope)) < CLOSE * len(shares):
            break
        step = _solve(matrix, [p * (1 - p) for p in chances], penalty, slope)
        weights = [w - s for w, s in zip(weights, step, strict=True)]
    return weights


def _solve(matrix: _Matrix, bends: Vector, penalty: Vector, slope: Vector) -> Vector:
    """x with (matrix' diag(bends) matrix + diag(penalty)) x = slope, nearly, by conjugate gradients."""
    scale = [1 / (d + c) for d, c in zip(matrix.diagonal(bends), penalty, strict=True)]
    x, rest = [0.0] * len(slope), slope
    towards = scaled = [r * s for r, s in zip(rest, scale, strict=True)]
    left = enough = _dot(rest, scaled)
    while left > 1e-4 * enough:
        bent = matrix.back([b * y for b, y in zip(bends, matrix.times(towards), strict=True)])
        bent = [b + c * t for b, c, t in zip(bent, penalty, towards, strict=True)]
        far = left / _dot(towards, bent)
        x = [a + far * t for a, t in zip(x, towards, strict=True)]
        rest = [r - far * b for r, b in zip(rest, bent, strict=True)]
        scaled = [r * s for r, s in zip(rest, scale, strict=True)]
        before, left = left, _dot(rest, scaled)
        towards = [z + left / before * t for z, t in zip(scaled, towards, strict=True)]
    return x


def _dot(a: Vector, b: Vector) -> float:
    return float(sum(map(mul, a, b)))


def _sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-logit)) if logit > -700 else 0.0
