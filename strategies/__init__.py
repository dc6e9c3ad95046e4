"""Strategies: where the next unit of compute is spent. One idea per file."""

if __name__ != "searchkit.strategies":
    raise ImportError("import searchkit.strategies, not strategies: the folder is installed inside the package")

from searchkit.strategies.a_star.a_star import AStar
from searchkit.strategies.a_star.costs import Imagined, Judged
from searchkit.strategies.particles.particle_filter import ParticleFilter
from searchkit.strategies.particles.particle_gibbs import ParticleGibbs
from searchkit.strategies.sampling.bandit import Bandit
from searchkit.strategies.sampling.best_of_n import BestOfN
from searchkit.strategies.sampling.deepconf_online import DeepConfOnline
from searchkit.strategies.sampling.field_vote import FieldVote
from searchkit.strategies.sampling.self_consistency import SelfConsistency
from searchkit.strategies.sampling.stopping import Beta, Dirichlet, EarlyStopping
from searchkit.strategies.selection.borda_vote import BordaVote
from searchkit.strategies.selection.complexity_vote import ComplexityVote
from searchkit.strategies.selection.confident_vote import ConfidentVote
from searchkit.strategies.selection.hierarchical import Hierarchical
from searchkit.strategies.selection.of_messages import OfMessages
from searchkit.strategies.selection.rules import Argmax, Soft, Vote
from searchkit.strategies.selection.step_filter import StepFilter
from searchkit.strategies.selection.tournament import Tournament
from searchkit.strategies.spawn_join.protocols import APRProtocol, TagProtocol, ToolCallProtocol
from searchkit.strategies.spawn_join.spawn_join import SpawnJoin
from searchkit.strategies.stepwise.beam import BeamSearch
from searchkit.strategies.stepwise.dvts import DVTS
from searchkit.strategies.stepwise.filtered_best_of_n import FilteredBestOfN
from searchkit.strategies.stepwise.tree_of_thoughts import TreeOfThoughts
from searchkit.strategies.tree.ab_mcts import ABMCTS
from searchkit.strategies.tree.best_first import BestFirst
from searchkit.strategies.tree.mcts import MCTS
from searchkit.strategies.tree.policies import MASTER, PUCT, RAP, UCT, AgentQ, SWESearch, Widening
from searchkit.strategies.tree.receding_horizon import RecedingHorizon
from searchkit.strategies.tree.tree_search import TreeSearch

__all__ = [
    "ABMCTS",
    "DVTS",
    "MASTER",
    "MCTS",
    "PUCT",
    "RAP",
    "UCT",
    "APRProtocol",
    "AStar",
    "AgentQ",
    "Argmax",
    "Bandit",
    "BeamSearch",
    "BestFirst",
    "BestOfN",
    "Beta",
    "BordaVote",
    "ComplexityVote",
    "ConfidentVote",
    "DeepConfOnline",
    "Dirichlet",
    "EarlyStopping",
    "FieldVote",
    "FilteredBestOfN",
    "Hierarchical",
    "Imagined",
    "Judged",
    "OfMessages",
    "ParticleFilter",
    "ParticleGibbs",
    "RecedingHorizon",
    "SWESearch",
    "SelfConsistency",
    "Soft",
    "SpawnJoin",
    "StepFilter",
    "TagProtocol",
    "ToolCallProtocol",
    "Tournament",
    "TreeOfThoughts",
    "TreeSearch",
    "Vote",
    "Widening",
]
