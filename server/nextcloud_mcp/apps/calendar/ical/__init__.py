"""Reading and changing iCalendar (RFC 5545), without HTTP and MCP."""
