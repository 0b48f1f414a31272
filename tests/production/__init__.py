"""Tests of the overlays in `deploy/production`: the compose configuration, and real deployments."""
