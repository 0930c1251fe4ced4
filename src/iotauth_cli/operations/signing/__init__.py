"""Signed tokens: the keys that this project keeps, what they sign, and how both are changed for others."""
