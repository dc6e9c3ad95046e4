"""The embedded model: a small Llama that ships with searchkit and runs on the CPU, without server or key.

Read `backend.py` first: what a user calls, and how a request becomes a job. Then `engine.py` (the thread that moves all
jobs on by a token a step), `decoder.py` (the network on ONNX Runtime), `sampler.py` (a token from its logits, without
hidden state) and `prefixes.py` (keys and values kept for texts that begin alike). `checkpoint.py` reads the files of a
model, `tokenizer.py` and `words.py` turn its texts into tokens.
"""

from searchkit.generators.embedded.backend import Embedded
from searchkit.generators.embedded.checkpoint import shipped

__all__ = [
    "Embedded",
    "shipped",
]
