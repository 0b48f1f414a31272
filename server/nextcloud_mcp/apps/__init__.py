"""The apps: each has a folder with its tools and its client of Nextcloud's API, and imports no other app."""
