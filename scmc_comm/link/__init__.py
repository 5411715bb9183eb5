"""Protection, packets and the ledger of channel uses."""
