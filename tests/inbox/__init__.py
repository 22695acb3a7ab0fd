"""The inbox in a browser: tokens, bulk marks, streams."""
