"""What a tenant may use of the service, and how much of it is left. Without a limit none of this costs a statement."""
