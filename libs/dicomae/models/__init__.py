"""The autoencoder of tags, its training and its registry."""
