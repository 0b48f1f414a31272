"""`make matrix`: how it reads its file and the reports, and what it writes."""
