"""The rule book that the program ships; the language of its entries is in README.md."""
