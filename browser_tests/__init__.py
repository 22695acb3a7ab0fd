"""Tests in a real browser: `bin/test-browser`."""
