"""Speaker-independent emotion recognition on RAVDESS."""
