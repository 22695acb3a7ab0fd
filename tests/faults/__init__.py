"""What the service survives, and what it takes to find out.

The harness (`proxy`, `provider`, `shims`, `ground`) breaks things; `plan`, `journeys`, `scripts`, `drive` and `chaos` are a run of
`bin/prove`; `checker` and `recovery` judge it. The tests beside them try one fault each and belong to `bin/test`.
"""
