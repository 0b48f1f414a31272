"""Verify access tokens, check scopes and get the tokens for Nextcloud."""
