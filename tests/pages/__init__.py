"""The pages in Chromium: what scripts do, what people with impairments meet, and what is loaded."""
