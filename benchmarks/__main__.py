"""All questions, one after the other."""

from benchmarks.adaptive import adaptive
from benchmarks.cost import cost
from benchmarks.counts import counts
from benchmarks.ledger import ledger
from benchmarks.measure import ask
from benchmarks.memory import memory
from benchmarks.rate import rate
from benchmarks.startup import startup

if __name__ == "__main__":
    ask(cost, counts, startup, ledger, memory, rate, adaptive)
