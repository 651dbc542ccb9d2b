"""A server of this project as a process, as `raftproof serve` runs it; that command also loads the explorers first."""

import asyncio
import sys

from raftimpl.running import configuration, logs, server

if __name__ == "__main__":
    flags = dict(zip((flag.removeprefix("--") for flag in sys.argv[1::2]), sys.argv[2::2], strict=True))
    configured = configuration.configuration_of(configuration.options_of(flags, "the command line"))
    logs.configure(configured.log_level, server=configured.me.name)
    asyncio.run(server.serve(configured))
