"""Who is calling, may they, and with which token does the call go on to Nextcloud."""
