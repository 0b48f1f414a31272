"""`doctor`: its findings and what it prints; the chain is played where the real one won't fail so."""
