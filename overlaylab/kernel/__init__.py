"""The real thing: mounts by this machine's kernel, in a namespace of our own."""
