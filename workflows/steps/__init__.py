"""The kinds of steps that a definition may be made of, one file each."""
