"""What is logged while a run goes on: into a journal beside the run at once, and from there into the ledger.

A *journal* is a file of checksummed entries. So logging waits for no database, a process that is killed has lost
nothing, and a ledger that was away gets everything later.

    journal    the file and its entries
    delivery   from journals to the ledger: each entry once, whoever delivers it and however often
    reporting  metrics: `report(loss=0.31)`
    hooks      metrics that LightGBM, XGBoost and scikit-learn compute round by round
    live       a training's values while it goes on
    system     CPU, memory and GPUs while a run goes on
"""
