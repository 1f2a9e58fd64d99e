"""The parent of `wallet up`: starts, watches, restarts and stops Valkey, the writer, the workers and the back office.

It knows processes, files and sockets, and the commands of its children. It knows nothing of money, Redis commands or
SQL. Modules: `supervisor` (the parent), `child` (one child's life), `roles` (which children there are), `parent_socket`
(a child's end of the connection to its parent), `embedded_valkey` (the command of a private server), `data_directory`,
`pid_files`. Nothing is imported here, so that a child loads only its own part.
"""
