"""Speaker-independent emotion recognition on RAVDESS."""

import os

# Arrow's own pools keep what is freed, in each thread for itself; the system's allocator gives it back.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
