"""Strategies: where the next unit of compute is spent. One idea per file."""

if __name__ != "searchkit.strategies":
    raise ImportError("import searchkit.strategies, not strategies: the folder is installed inside the package")

from searchkit.strategies.a_star import AStar
from searchkit.strategies.ab_mcts import ABMCTS
from searchkit.strategies.bandit import Bandit
from searchkit.strategies.beam import BeamSearch
from searchkit.strategies.best_first import BestFirst
from searchkit.strategies.best_of_n import BestOfN
from searchkit.strategies.borda_vote import BordaVote
from searchkit.strategies.complexity_vote import ComplexityVote
from searchkit.strategies.confident_vote import ConfidentVote
from searchkit.strategies.costs import Imagined, Judged
from searchkit.strategies.deepconf_online import DeepConfOnline
from searchkit.strategies.dvts import DVTS
from searchkit.strategies.field_vote import FieldVote
from searchkit.strategies.filtered_best_of_n import FilteredBestOfN
from searchkit.strategies.hierarchical import Hierarchical
from searchkit.strategies.mcts import MCTS
from searchkit.strategies.of_messages import OfMessages
from searchkit.strategies.particle_filter import ParticleFilter
from searchkit.strategies.particle_gibbs import ParticleGibbs
from searchkit.strategies.policies import MASTER, PUCT, RAP, UCT, AgentQ, SWESearch, Widening
from searchkit.strategies.protocols import APRProtocol, TagProtocol, ToolCallProtocol
from searchkit.strategies.receding_horizon import RecedingHorizon
from searchkit.strategies.select import Argmax, Soft, Vote
from searchkit.strategies.self_consistency import SelfConsistency
from searchkit.strategies.spawn_join import SpawnJoin
from searchkit.strategies.step_filter import StepFilter
from searchkit.strategies.stopping import Beta, Dirichlet, EarlyStopping
from searchkit.strategies.tournament import Tournament
from searchkit.strategies.tree_of_thoughts import TreeOfThoughts
from searchkit.strategies.tree_search import TreeSearch

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
