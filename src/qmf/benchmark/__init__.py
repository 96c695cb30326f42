"""The bench: every method on the same encoders, budget and damage; one command, one report.

`qmf.benchmark.methods` has the methods, `together` trains many seeds at once, `runner` runs what is not done yet.
"""
