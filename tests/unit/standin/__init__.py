"""What only the stand-in has: what it shares with a real Nextcloud is in tests/contract."""
