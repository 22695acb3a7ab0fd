"""What the service does on this machine, measured from outside: `python -m benchmarks NAME`. See docs/performance.md.

A benchmark runs real processes on a PostgreSQL of its own with fsync on, never asserts a time, and fails when a run was
lost or a trace does not verify.
"""
