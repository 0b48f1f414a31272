"""What several tests share: a browser for Keycloak's pages, token helpers."""
