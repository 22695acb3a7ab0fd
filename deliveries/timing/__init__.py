"""When messages may be sent: quiet hours, windows, and caps."""
