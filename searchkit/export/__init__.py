"""Export: what searches left behind, as files that trainers read today.

Read `trajectory.py` first (what a problem's material is), then the way of a row: `reading.py`, `journals.py`,
`sweeps.py` and `dumps.py` (material from results, trees, pools, journals, sweeps, other systems), `recipes.py`,
`labelling.py`, `values.py`, `revisions.py` and `judgements.py` (which records it gives: `records.py`), `formats/` (how
a trainer wants them), `files.py` (JSON lines and Parquet), `exporting.py` (all of it). `keep.py` says what is kept and
how problems are split, `held_out.py` what is refused, by `normalised.py`; `first_error.py` grows trees of step
labels, `step_labelling.py` does it as a search; `lab_tasks.py` knows the tasks of the lab.
"""

from searchkit.export.dumps import Names, of_dump
from searchkit.export.exporting import Exported, export, materials
from searchkit.export.first_error import OmegaPRM, first_error
from searchkit.export.formats import FORMATS
from searchkit.export.held_out import HeldOut
from searchkit.export.journals import of_journal
from searchkit.export.judgements import Judgements
from searchkit.export.keep import Keep
from searchkit.export.labelling import StepLabels
from searchkit.export.reading import of_pool, of_result, of_tree
from searchkit.export.recipes import Both, Groups, Pairs, Siblings, Tasks, Traces, Verdicts, advantages
from searchkit.export.revisions import Revisions
from searchkit.export.step_labelling import StepLabelling
from searchkit.export.sweeps import of_sweep
from searchkit.export.trajectory import Material, Origin, Trajectory
from searchkit.export.values import Values

__all__ = [
    "FORMATS",
    "Both",
    "Exported",
    "Groups",
    "HeldOut",
    "Judgements",
    "Keep",
    "Material",
    "Names",
    "OmegaPRM",
    "Origin",
    "Pairs",
    "Revisions",
    "Siblings",
    "StepLabelling",
    "StepLabels",
    "Tasks",
    "Traces",
    "Trajectory",
    "Values",
    "Verdicts",
    "advantages",
    "export",
    "first_error",
    "materials",
    "of_dump",
    "of_journal",
    "of_pool",
    "of_result",
    "of_sweep",
    "of_tree",
]
