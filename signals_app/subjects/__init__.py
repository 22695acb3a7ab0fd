"""What the service holds about a subject, wherever it lies: to be erased, and to be exported."""
