"""`make bench-compare`: this client beside its peers, each promise as a ratio with its goal.

One run on one machine. Every contestant of a row is a process of its own, which holds one peer and one kind
of work (`work`), and which measures a slice of it when it is told to: all of them by the same code, in
turns, in a shuffled order, several rounds. A ratio is taken within each round, and the median of the rounds
is what is shown, with the lowest and the highest beside it.

The results are figures, and no test: the program ends with 0 whatever they are.
"""
