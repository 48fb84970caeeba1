"""How a store's bytes are read: directories, tars, tars of directories, bolt databases; one by one or in parallel."""
