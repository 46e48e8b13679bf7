"""Drivers and clients in other languages, and the array that they are tried with."""
