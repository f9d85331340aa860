"""Examples -> Examples and the Ledger of what became of them."""
