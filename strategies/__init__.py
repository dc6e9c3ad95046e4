"""Strategies: where the next unit of compute is spent. One folder a family, one idea a file.

`sampling/` and `selection/` choose among whole answers; `stepwise/`, `tree/`, `a_star/` and `particles/` grow answers
by steps; `refinement/` rewrites drafts; `ensembles/` lets several agents read one another; `spawn_join/` runs parallel
threads of one answer; `routing/` lets other strategies search. Each folder's ``__init__.py`` says in which order to
read its files; `common/` is what several families share. Not all names are strategies: there are also rules of
selection, stopping and tree search, evaluations, priors, costs and protocols, which strategies take as arguments.
"""

if __name__ != "searchkit.strategies":
    raise ImportError("import searchkit.strategies, not strategies: the folder is installed inside the package")

from searchkit.strategies.a_star import AStar, Imagined, Judged
from searchkit.strategies.common.thompson import Beta, Gaussian
from searchkit.strategies.ensembles import Fuse, Rounds, importance
from searchkit.strategies.particles import ParticleFilter, ParticleGibbs
from searchkit.strategies.refinement import DISTIL, Aggregate, Refine
from searchkit.strategies.routing import Budgeted, Escalate, Fallback, Race, Router, Then, asking
from searchkit.strategies.sampling import (
    Bandit,
    BestOfN,
    BetaStopping,
    DeepConfOnline,
    Dirichlet,
    EarlyStopping,
    FieldVote,
    SelfConsistency,
)
from searchkit.strategies.selection import (
    Argmax,
    BordaVote,
    ComplexityVote,
    ConfidentVote,
    Hierarchical,
    OfMessages,
    PatchVote,
    PivotTournament,
    Rerank,
    Soft,
    StepFilter,
    Tournament,
    Vote,
)
from searchkit.strategies.spawn_join import APRProtocol, GraphOfThoughts, SpawnJoin, TagProtocol, ToolCallProtocol
from searchkit.strategies.stepwise import (
    DVTS,
    AlphaMathBeam,
    BeamSearch,
    FilteredBestOfN,
    SuccessiveHalving,
    TreeOfThoughts,
)
from searchkit.strategies.tree import (
    ABMCTS,
    MASTER,
    MCTS,
    PUCT,
    RAP,
    UCT,
    AdaptiveUCT,
    AgentQ,
    BestChance,
    BestFirst,
    BestFirstRule,
    Children,
    FirstMistake,
    RecedingHorizon,
    Reservation,
    Rollout,
    SWESearch,
    TreeSearch,
    Trust,
    Value,
    Widening,
)

__all__ = [
    "ABMCTS",
    "DISTIL",
    "DVTS",
    "MASTER",
    "MCTS",
    "PUCT",
    "RAP",
    "UCT",
    "APRProtocol",
    "AStar",
    "AdaptiveUCT",
    "AgentQ",
    "Aggregate",
    "AlphaMathBeam",
    "Argmax",
    "Bandit",
    "BeamSearch",
    "BestChance",
    "BestFirst",
    "BestFirstRule",
    "BestOfN",
    "Beta",
    "BetaStopping",
    "BordaVote",
    "Budgeted",
    "Children",
    "ComplexityVote",
    "ConfidentVote",
    "DeepConfOnline",
    "Dirichlet",
    "EarlyStopping",
    "Escalate",
    "Fallback",
    "FieldVote",
    "FilteredBestOfN",
    "FirstMistake",
    "Fuse",
    "Gaussian",
    "GraphOfThoughts",
    "Hierarchical",
    "Imagined",
    "Judged",
    "OfMessages",
    "ParticleFilter",
    "ParticleGibbs",
    "PatchVote",
    "PivotTournament",
    "Race",
    "RecedingHorizon",
    "Refine",
    "Rerank",
    "Reservation",
    "Rollout",
    "Rounds",
    "Router",
    "SWESearch",
    "SelfConsistency",
    "Soft",
    "SpawnJoin",
    "StepFilter",
    "SuccessiveHalving",
    "TagProtocol",
    "Then",
    "ToolCallProtocol",
    "Tournament",
    "TreeOfThoughts",
    "TreeSearch",
    "Trust",
    "Value",
    "Vote",
    "Widening",
    "asking",
    "importance",
]
