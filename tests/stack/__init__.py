"""The command that a person starts the chain with."""
