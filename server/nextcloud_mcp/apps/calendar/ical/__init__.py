"""iCalendar (RFC 5545): what an object says, and how it says something else; knows neither HTTP nor MCP."""
