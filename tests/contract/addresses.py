"""Addresses of Nextcloud's APIs that several contract tests use."""

NOTES = "/index.php/apps/notes/api/v1/notes"
