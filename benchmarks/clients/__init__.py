"""The others: what one would write, or take, instead of the runner."""
