"""Tests: behaviour seen from outside."""
