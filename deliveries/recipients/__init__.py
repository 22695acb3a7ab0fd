"""Recipients: who they are to a tenant, where each channel reaches them, and how their addresses are kept."""

from deliveries.recipients.addresses import digest_of, masked

__all__ = ["digest_of", "masked"]
