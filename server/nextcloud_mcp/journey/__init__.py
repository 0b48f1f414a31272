"""The token journey: show a signed-in person what their token is, and what becomes of it on the way to Nextcloud."""
