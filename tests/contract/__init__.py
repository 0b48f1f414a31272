"""Contract tests: what the server relies on in Nextcloud, tested on the stand-in and on a real Nextcloud."""
