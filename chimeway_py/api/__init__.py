"""What every REST surface shares: bodies, errors, pages. It knows nothing of the apps."""
