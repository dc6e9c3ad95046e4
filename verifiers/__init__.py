"""searchkit.verifiers: import it by that name."""

if __name__ != "searchkit.verifiers":
    raise ImportError("import searchkit.verifiers, not verifiers: the folder is installed inside the searchkit package")

from searchkit.verifiers import keys
from searchkit.verifiers.exact import Exact
from searchkit.verifiers.predicate import Predicate

__all__ = ["Exact", "Predicate", "keys"]
