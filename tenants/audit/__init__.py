"""The record of what operators did: what it tells of a row, how it is kept and for how long."""
