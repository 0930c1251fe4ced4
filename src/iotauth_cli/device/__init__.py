"""The bench: what a board needs to carry a credential."""
