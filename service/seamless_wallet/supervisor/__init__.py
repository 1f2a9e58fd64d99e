"""The parent of `wallet up`: starts, watches, restarts and stops Valkey, the writer, the workers and the back office.

It knows processes, files and sockets, and the commands of its children. It knows nothing of money, Redis commands or
SQL. Modules: `supervisor` (the parent), `family` (its children together), `child` (one child's life), `roles` and
`kinds` (which children there are), `reload` (SIGHUP), `parent_socket` (a child's end of the connection to its parent),
`service_manager` and `passed_sockets` (systemd), `terminal`, `embedded_valkey` (the command of a private server),
`data_directory`, `pid_files`. Nothing is imported here, so that a child loads only its own part.
"""
