"""The audit log: who asked the back office for what, from where, why, and what came of it.

It knows no HTTP, no SQL, no money and no settings. An action is recorded before it is done, and its outcome afterwards:
one that cannot be recorded is not done, and one without an outcome may have been done. Modules: `ports` (what is
recorded, and what a store of it has to do).
"""
