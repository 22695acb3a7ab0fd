"""REST for inboxes, deliveries, templates and endpoints."""
