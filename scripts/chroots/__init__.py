"""Clean chroots: how they are made, cached and used."""
