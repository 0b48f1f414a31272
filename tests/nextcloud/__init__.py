"""Nextcloud's side: the set-up script, against a recorder that plays occ and against a real occ."""
