"""The whole service on one machine: every process of a production set-up, small, and supervised by one program."""
