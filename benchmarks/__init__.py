"""Measurements. Each is a ratio within one run: machines are shared and noisy, so a bare number says little."""
