"""Finding the program in a model's text. Read in this order: pieces, mending, scope, loose, program."""
