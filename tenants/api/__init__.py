"""REST for tenants: who calls, what the key may do, and the transaction every request runs in."""
