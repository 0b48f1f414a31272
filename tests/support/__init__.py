"""Helpers that several tests share: fakes of Keycloak and Nextcloud, clients, tokens and sample data."""
