"""What we can send over: one file per channel."""
