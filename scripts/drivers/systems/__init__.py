"""Systems of nodes that are machines with a kernel of their own: content, identity and login, for several drivers."""
