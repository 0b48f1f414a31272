"""Moved to `tests.support.oauth`; stands here until nobody imports it from here."""

from tests.support.oauth import ALICE, BOB, claims, sign_in

__all__ = ["ALICE", "BOB", "claims", "sign_in"]
