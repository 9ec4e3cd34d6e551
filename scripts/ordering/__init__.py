"""The order of builds: the graph of components, and the causes that start a build."""
