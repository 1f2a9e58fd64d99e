"""The composition root: one module for each kind of process, which builds its parts and ties them together."""
