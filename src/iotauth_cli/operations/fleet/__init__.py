"""Many clients at once: which ones, their secrets handed out in a file, and what became of each."""
