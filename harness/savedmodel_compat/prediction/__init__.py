"""Which releases load a model, and why not: said from the model and the registries alone, without running either."""
