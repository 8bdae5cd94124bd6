"""Floors: the least work that the primitives allow, written straight down, without any of our
layers.
"""
