"""The overlays of `deploy/production`: what compose makes of them, and the deployment run for real."""
