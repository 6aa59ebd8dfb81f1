"""
The three upstreams in small, over real HTTP/1.1: what `mindgate demo` and the tests talk to.

Normative: upstreams.md section 11 (X1 to X29). Nothing here is shared with the gateway: a simulator
that used a function of the gateway would share its mistakes. Start reading at `server`.
"""
