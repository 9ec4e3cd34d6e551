"""The sources of builds: each yields a `reports.model.Build` and the files that it names."""
