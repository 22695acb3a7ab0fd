"""PostgreSQL, a broker and a mail server as child processes, for the demo and the tests.

Each is a small object with `start`, `stop`, `kill` and addresses; none of them outlives the program that started it.
In production nothing here is used: `DATABASE_URL`, `BROKER_URL` and `EMAIL_URL` name the real ones.
"""
