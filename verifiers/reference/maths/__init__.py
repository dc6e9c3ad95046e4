"""Whether two answers are the same mathematics: reading, exact arithmetic, and sympy in a process of its own."""
