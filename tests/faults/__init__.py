"""What the service survives, and what it takes to find out.

The harness (`proxy`, `provider`, `shims`, `ground`) breaks things; `plan`, `journeys`, `scripts`, `drive`, `capacity`
and `chaos` are a run of `bin/prove`; `checker`, `recovery` and `throughput` judge it. The tests beside them try one
fault each and belong to `bin/test`.
"""
