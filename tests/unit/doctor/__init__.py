"""`doctor`: its findings and its output, with fakes for failures that real components can't produce."""
