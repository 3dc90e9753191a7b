"""Families of algorithms that put knowledge, architecture and scheme together in a way of their own.

A file for each family of the surveys, and in it a verb for each method.
"""
