"""A stand-in for Nextcloud on machines without one; a header marks every response as the stand-in's."""
