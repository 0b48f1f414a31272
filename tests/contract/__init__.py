"""What we rely on in Nextcloud: the same tests against the stand-in and a real one."""
