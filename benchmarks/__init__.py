"""What the runner costs: one script for each question, `python -m benchmarks` for all of them."""
