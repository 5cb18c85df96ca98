"""Training on the node of a cluster: the process runs there, and everything it makes comes here.

    asking   here: what the node lacks is sent, what comes is put where the process would have put it
    folds    the same of the folds of a search
    node     there: the process is started, followed and ended

What is sent is named by digests, so a node keeps it for the next training. A node that sees this machine's disk
works on it, and nothing is sent. The ledger is written here alone, and the bundle is signed here: the project's key
stays where it is.
"""
