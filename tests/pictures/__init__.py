"""The pictures of the docs, taken from the running demo: `make pictures`."""
