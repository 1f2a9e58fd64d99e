-- Rules for the expanded Redis scripts: `make check` runs luacheck on what `python -m seamless_wallet.engine.expand_scripts` writes.
std = "lua51"
max_line_length = 120
unused = true
unused_args = true
unused_secondaries = false
redefined = true
allow_defined = false

-- What Redis and Valkey both give a script. `server` is Valkey's alone, so it stays undefined.
read_globals = {
  "KEYS",
  "ARGV",
  "bit",
  "cjson",
  "cmsgpack",
  "struct",
  redis = {
    fields = {
      "call", "pcall", "error_reply", "status_reply", "sha1hex", "setresp",
      "log", "LOG_DEBUG", "LOG_VERBOSE", "LOG_NOTICE", "LOG_WARNING",
      "REDIS_VERSION", "REDIS_VERSION_NUM",
    },
  },
}

-- Plain Lua has these, the sandbox has not (or a script must not wait or depend on them).
not_globals = {
  "debug", "dofile", "io", "loadfile", "module", "newproxy", "os", "package", "print", "require",
}
