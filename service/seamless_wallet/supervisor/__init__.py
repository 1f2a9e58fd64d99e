"""The parent of `wallet up`: everything in one command, started, watched, restarted and stopped together.

Import what is needed from the modules: `parent` (the supervisor), `lifeline` (the child's end of it),
`valkey` (a private Valkey, for tests as well). Nothing is imported here, so that a child
pays only for its own part.
"""
