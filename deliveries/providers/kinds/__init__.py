"""What we can send through: one file per kind of provider."""
