"""What left somebody without a message although no delivery tells of it: throttles, and items taken out of digests."""
