"""How a store's bytes are reached: directories, tars, tars of directories, bolt files; and who reads them in parallel."""
