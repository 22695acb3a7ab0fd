"""What reaches people and systems: channels, templates, deliveries, the inbox."""
