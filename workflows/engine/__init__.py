"""The engine: decides on facts passed in, and touches neither database nor clock nor settings."""
