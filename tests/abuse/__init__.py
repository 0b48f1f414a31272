"""What callers may try against the servers, with and without a token, under the memory limit that is shipped."""
