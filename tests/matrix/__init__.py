"""`make matrix`: the tests against each Nextcloud of a file, and docs/reference/compatibility.md with what passed."""
