"""What tests/parity stands on: one world, be it the emulator or AWS, and clients that are written by hand."""
