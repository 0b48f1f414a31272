"""Tests of the containers: the images, the compose project, and builds without an image registry."""
