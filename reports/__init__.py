"""Reports: the results of runs as JUnit, bundles, a public site, mail and reviews."""
