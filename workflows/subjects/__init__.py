"""What workflows hold about subjects: erased, and exported."""
