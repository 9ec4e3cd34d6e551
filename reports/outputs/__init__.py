"""Where what was bundled goes: one module an output, listed in `reports.outputs.registry`.

An output gets bundles and nothing else, so that nothing unredacted can reach it; see `reports.outputs.delivery`.
"""
