"""Taking over an authorizer that somebody made by hand, and giving it back.

An older, hand-made authorizer calls a function of its own, which reads a table keyed `Client_ID` with
plain passwords in it. Our function reads those rows too. So nothing of theirs is rebuilt: ours is put
beside the other one, on the same table, and one call, UpdateAuthorizer, makes AWS IoT ask it instead.

    find      the authorizers that call somebody else's function, and the table which that reads
    rows      the rows of the table, as our function will see them
    compare   both functions asked about the same logins; what they answer differently
    switch    what is made beside theirs, the way back noted, the one call, and the proof
    rollback  the same call the other way, and what was made taken away
    names     the three names in iotauth.yaml, and what stood there before

The way back is a tag on the authorizer, which every machine can read. Whatever stops a run in the
middle, the same command finishes it: each step looks first, and before the one call nothing of theirs
has changed.
"""
