"""Thompson sampling: draw what each arm may be worth from its posterior, take the arm with the greatest draw.

Rewards are in [0, 1]. A posterior depends on the multiset of an arm's rewards, not on their order.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from searchkit.errors import ConfigError

Draw = Literal["mean", "predictive"]
Numbers = tuple[float, ...]  # what a draw takes
LOG4, CHENG, TURN = math.log(4.0), 1.0 + math.log(4.5), 2.0 * math.pi


@dataclass(slots=True)
class Arm:
    """What an arm has brought: how many rewards, their sum, and the sum of their squares.

    drawn_from: the numbers that a draw from its posterior takes, under the prior of whoever draws; None where a reward
    has come since they were reckoned.
    """

    n: int = 0
    total: float = 0.0
    squares: float = 0.0
    drawn_from: Numbers | None = None

    @property
    def mean(self) -> float:
        """The mean reward; needs n > 0."""
        return self.total / self.n

    def tell(self, reward: float) -> None:
        self.drawn_from = None
        self.n += 1
        self.total += reward
        self.squares += reward * reward

    def level(self, reward: float) -> None:
        """Take all rewards so far for as good as `reward`."""
        self.drawn_from = None
        self.total, self.squares = self.n * reward, self.n * reward * reward


@dataclass(frozen=True, slots=True)
class Gaussian:
    """Normal rewards of unknown mean and variance: the normal-inverse-chi-squared posterior, in closed form.

    sigma^2 ~ nu * tau2 / chi^2(nu) and mu ~ N(m, sigma^2 / kappa); the mean mu then is m + sqrt(tau2 / kappa) * t(nu).
    After n rewards of mean y: kappa' = kappa + n, nu' = nu + n, m' = (kappa * m + n * y) / kappa', and nu' * tau2' =
    nu * tau2 + sum (r - y)^2 + n * kappa * (y - m)^2 / kappa'. The defaults are those of the released code of AB-MCTS
    (treequest, ``prob_state.py``). There m = 0 says that a new arm is bad: where scores are near 1, what already has
    data is preferred; a greater m makes a search more curious.
    """

    m: float = 0.0
    kappa: float = 1.0
    nu: float = 1.0
    tau2: float = 0.1

    def __post_init__(self) -> None:
        positive = all(0 < x < math.inf for x in (self.kappa, self.nu, self.tau2))
        if not positive or not math.isfinite(self.m):
            raise ConfigError(f"Gaussian needs a finite m, and kappa, nu and tau2 > 0, got {self}")

    def given(self, arm: Arm) -> tuple[float, float, float, float]:
        """m, kappa, nu and tau2 after the rewards of `arm`."""
        kappa, nu = self.kappa + arm.n, self.nu + arm.n
        m, spread = self.m, self.nu * self.tau2
        if arm.n:
            scatter = max(0.0, arm.squares - arm.n * arm.mean**2)  # rounding may take it below 0
            m = (self.kappa * self.m + arm.total) / kappa
            spread += scatter + arm.n * self.kappa * (arm.mean - self.m) ** 2 / kappa
        return m, kappa, nu, spread / nu

    def numbers(self, arm: Arm, what: Draw) -> Numbers:
        """What draws are made from: of a plausible mean reward ("mean"), or a plausible next one ("predictive").

        The last three are what Cheng's rejection needs of the shape.
        """
        m, kappa, nu, tau2 = self.given(arm)
        shape, slope = nu / 2, math.sqrt(max(0.0, nu - 1.0))
        return shape, nu * tau2, m, 1 / kappa + (what == "predictive"), slope, shape - LOG4, shape + slope

    def draws(self, rng: random.Random, arms: Sequence[Numbers]) -> list[float]:
        """A draw for each of some arms, by the `numbers` of each.

        They are those of `rng.gammavariate` and `rng.gauss`, bit for bit: a large tree takes dozens for a single node,
        so that the two are written out here (gamma: Cheng 1977, as in the standard library).
        """
        uniform, log, exp, root = rng.random, math.log, math.exp, math.sqrt
        spare, found = rng.gauss_next, list[float]()  # type: ignore[attr-defined]  # normal draws come in pairs
        for shape, spread, mean, factor, slope, low, high in arms:
            if shape <= 1:
                chi2 = rng.gammavariate(shape, 2)  # chi^2(nu) is Gamma(nu / 2, scale 2)
            else:
                while True:
                    u = uniform()
                    if not 1e-7 < u < 0.9999999:
                        continue
                    v = log(u / (1.0 - u)) / slope
                    z = u * u * (1.0 - uniform())
                    x = shape * exp(v)
                    r = low + high * v - x
                    if r + CHENG - 4.5 * z >= 0.0 or r >= log(z):
                        break
                chi2 = x * 2
            normal, spare = spare, None
            if normal is None:
                angle, length = uniform() * TURN, root(-2.0 * log(1.0 - uniform()))
                normal, spare = math.cos(angle) * length, math.sin(angle) * length
            found.append(mean + normal * root(spread / chi2 * factor))
        rng.gauss_next = spare  # type: ignore[attr-defined]
        return found


@dataclass(frozen=True, slots=True)
class Beta:
    """Success or failure, or anything between: after a reward r, a grows by r and b by 1 - r.

    The default is Jeffreys' prior, as in the released code of AB-MCTS. Only the mean can be drawn: a predictive draw
    would be 0 or 1, and a comparison of such draws a tie.
    """

    a: float = 0.5
    b: float = 0.5

    def __post_init__(self) -> None:
        if not (0 < self.a < math.inf and 0 < self.b < math.inf):
            raise ConfigError(f"Beta needs a > 0 and b > 0, got {self}")

    def given(self, arm: Arm) -> tuple[float, float]:
        """a and b after the rewards of `arm`."""
        return self.a + arm.total, self.b + max(0.0, arm.n - arm.total)  # rounding may take it below 0

    def numbers(self, arm: Arm, what: Draw) -> Numbers:
        return self.given(arm)

    def draws(self, rng: random.Random, arms: Sequence[Numbers]) -> list[float]:
        """A plausible mean reward for each of some arms, by the `numbers` of each."""
        return [rng.betavariate(a, b) for a, b in arms]


Prior = Literal["gaussian", "beta"] | Gaussian | Beta


def prior_of(prior: Prior, draw: Draw) -> Gaussian | Beta:
    """The distribution that `prior` names. Raises `ConfigError` for an unknown one, or a draw that it does not have."""
    named = {"gaussian": Gaussian(), "beta": Beta()}.get(prior) if isinstance(prior, str) else prior
    if not isinstance(named, Gaussian | Beta):
        raise ConfigError(f'prior is "gaussian", "beta", Gaussian(...) or Beta(...), got {prior!r}')
    if draw not in ("mean", "predictive"):
        raise ConfigError(f'draw is "mean" or "predictive", got {draw!r}')
    if draw == "predictive" and isinstance(named, Beta):
        raise ConfigError('a predictive draw of a Beta arm is 0 or 1, so most are ties: use draw="mean" or "gaussian"')
    return named


def thompson(arms: Sequence[Arm], prior: Gaussian | Beta, draw: Draw, rng: random.Random) -> int:
    """The index of the arm with the greatest draw, of equals the first; one draw an arm, in their order.

    `prior` and `draw` must be the same for an arm each time.
    """
    draws = prior.draws(rng, [arm.drawn_from or _reckoned(arm, prior, draw) for arm in arms])
    return draws.index(max(draws))


def _reckoned(arm: Arm, prior: Gaussian | Beta, draw: Draw) -> Numbers:
    arm.drawn_from = numbers = prior.numbers(arm, draw)
    return numbers
