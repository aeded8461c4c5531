"""Tests that keep the papers true."""
