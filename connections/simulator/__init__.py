"""Amazon in a box: the consent pages, the token endpoint and a part of the Selling Partner API, in one small process.

It holds everything in memory, imports nothing of the product and is imported by nothing.
Run it with `python -m connections.simulator`.
"""
