"""What makes a running server of the core: timers, disk, network, clients."""
