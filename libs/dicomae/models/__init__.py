"""What compresses X, its training, and folders of models addressed by hash."""
