"""Every order in which a few actors can meet, against the real engine and a small database in memory.

`memory` is that database; `tables` carries runs between it and the engine's own batch; `engine_actors` and
`work_actors` are the steps of the service, each named after the function that it follows; `scenarios` says who meets
whom; `search` tries every order; `promises` judges where it ends; `guards` are what can be taken out, to see that the
search finds what then goes wrong. `bin/prove --explore` runs all of it.
"""
