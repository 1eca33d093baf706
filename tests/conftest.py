"""How Hypothesis works for all tests: the same examples each time, however slow the machine is at the moment."""

from hypothesis import settings

settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("searching", deadline=None, print_blob=True)
settings.load_profile("steady")
