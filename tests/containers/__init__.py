"""The containers: their images, the compose project, and the way to have both without an image registry."""
