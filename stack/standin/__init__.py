"""Plays Nextcloud on machines that have none; every response says that it is the stand-in."""
