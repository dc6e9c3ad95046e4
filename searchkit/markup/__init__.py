"""What pages are made of. All texts are data, never markup.

`page.py`: a page that needs nothing else. `tables.py` and `words.py`: texts, tables and numbers that are safe to show.
`trees.py`, `results.py` and `charts.py`: search trees, results and curves, read as columns and fields, so that they can
show themselves;
`cut.py`: which nodes are shown of a large tree.
"""
