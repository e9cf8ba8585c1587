"""The other end of the wire: servers that the tests of the client talk to.

Nothing here is a mock. A scenario that no well-behaved server would play is scripted byte by byte on a real
socket (`scripted`, with the HTTP it reads and writes in `wire`); a scenario that asks how the client gets on
with the world is played by a real server program in a process of its own (`real`, serving `apps`). `echo`
counts under load, `certificates` makes TLS real, and `sockets` tells whether anything was left open.
"""
