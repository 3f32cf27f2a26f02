"""Declarations, read as package data."""
