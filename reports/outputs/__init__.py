"""The outputs that bundles are delivered to: one module for each, listed in `reports.outputs.registry`.

An output gets only bundles, so that nothing unredacted can reach it; see `reports.outputs.delivery`.
"""
