"""Tests of the shipped realm on a real Keycloak: what the server relies on."""
