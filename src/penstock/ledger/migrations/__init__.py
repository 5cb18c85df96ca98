"""The steps that brought the ledger's schema to what it is, oldest first."""
