"""Tests of Nextcloud's set-up script, with a fake occ and with a real one."""
