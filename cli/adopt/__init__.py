"""`candlefish init`: what runs in an account and a cluster, read; a catalog for it, guessed; and the way there.

Reading (`look_aws`, `look_cluster`) makes `Facts`, which can be saved and read again elsewhere. Everything between them
and the texts that are written is pure: `guess` and `surroundings` make a `Proposal`, `obstacles` and `steps` say what
stands in the way and in which order to go, `write` makes the files.
"""
