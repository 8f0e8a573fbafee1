"""What the provider ``docker`` is made of: the engine, the images, the seal, the models inside, and the life of it all."""
