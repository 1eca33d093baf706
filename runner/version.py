"""Which release this is; reading it from the installed package's metadata would take longer than ``--help``."""

VERSION = "0.1.0"
