# %% [markdown]
# # A scaling curve
#
# How much better do answers get with more samples, and which way of choosing among them gets most out of them? Draw
# one pool; every method that is a function of the pool then costs nothing more.

# %%
from searchkit import Model, Params
from searchkit.experiments import draw, plot
from searchkit.generators import Embedded
from searchkit.lab.checker import CHECKER, operations, outcome_reward, problem
from searchkit.lab.countdown import Countdown

model = Model(Embedded(), Params(max_tokens=64))
problems = [problem(puzzle) for puzzle in Countdown().puzzles(20, "dev")]
pool = await draw(problems, model, 16, verifier=CHECKER, scorer=outcome_reward(), key=operations)
pool

# %% [markdown]
# `pass@k` is what an exact checker would get from k samples. `best@k` is what the reward model that ships with
# searchkit gets, which knows no answer, and `maj@k` what a vote gets. The intervals come from resampling whole
# problems, since the samples of one problem are alike.

# %%
passed, best, vote = (pool.curve(name) for name in ("pass@k", "best@k", "maj@k"))
best

# %% [markdown]
# `plot` returns matplotlib's `Axes`, so that titles, limits and more curves are yours to add; the last line shows them.

# %%
axes = plot([passed, best, vote])
axes.set_title("Countdown, 20 puzzles")
axes

# %% [markdown]
# Curves that overlap may still differ: they were measured on the same problems. Their paired difference has an interval
# of its own. Here, what the reward model gains over a vote, and what it leaves to an exact checker, whose curve it
# hides above.

# %%
for upper, lower in ((best, vote), (passed, best)):
    gap = upper.minus(lower)
    print(f"{upper.name} - {lower.name} at 16: {gap.mean[-1]:.2f}, 95 % [{gap.low[-1]:.2f}, {gap.high[-1]:.2f}]")
