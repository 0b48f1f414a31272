"""CalDAV requests (RFC 4791; RFC 6638 for free/busy), with iCalendar as text."""
