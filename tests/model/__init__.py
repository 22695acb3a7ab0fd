"""Random journeys under a state machine, held against a second, small implementation of the rules."""
