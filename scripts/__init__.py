"""The steps: one file each, runnable alone; `registry` lists them."""
