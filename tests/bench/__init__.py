"""The benchmark: each promise that is a number (design.md §8), beside a floor measured in the same run. `python -m tests.bench`.

It starts real processes on 127.0.0.1 with databases of their own, and takes both away again. It reports; it fails nothing.
"""
