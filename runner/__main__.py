"""``python -m runner`` is ``teardown``."""

from runner.cli import main

if __name__ == "__main__":
    main()
