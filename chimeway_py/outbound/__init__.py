"""The only way out: HTTP requests to addresses that tenants chose, checked at the moment of connecting."""
