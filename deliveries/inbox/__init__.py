"""The inbox as a person sees it: short-lived tokens for a browser, and streams that tell what changes."""
