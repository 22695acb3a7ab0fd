"""What keeps values unreadable at rest: a key per tenant, wrapped by a master key from the settings."""

from tenants.vault.sealing import CannotOpen
from tenants.vault.vault import Vault, vault_of

__all__ = ["CannotOpen", "Vault", "vault_of"]
