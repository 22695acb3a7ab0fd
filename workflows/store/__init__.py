"""The only writer of runs: locks them in sets, and writes state, trace, waits and owed work in one transaction."""
