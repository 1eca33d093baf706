"""All questions, one after the other, and the answers together."""

from benchmarks.cost import cost
from benchmarks.measure import ask

if __name__ == "__main__":
    ask(cost)
