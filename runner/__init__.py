"""Batch teardown of phone numbers."""
