"""Where builds come from: each module yields a `reports.model.Build` and the files that it names."""
