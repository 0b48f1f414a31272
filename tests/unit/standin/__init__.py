"""Behavior of the stand-in only; what it has in common with a real Nextcloud is tested in tests/contract."""
