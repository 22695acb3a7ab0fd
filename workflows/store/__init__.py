"""The only writer of runs: loads and locks them in sets, and writes state, trace, waits and owed work in one transaction."""
