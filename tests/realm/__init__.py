"""What we rely on in Keycloak: the shipped realm on a real Keycloak."""
