"""The HTTP doors of a run: what a browser or Prometheus may ask, who may, and how much of it.

- ``access``  where a door listens, and who may come in: loopback, or a token and TLS
- ``limits``  one connection: a request, its size, its time
- ``guard``   what every request passes: methods, hosts, the token; headers of every answer
- ``server``  the server itself: a thread with an event loop of its own

`testbed.metrics` and `testbed.live` have something to show; everything here is about showing it to
nobody else. It imports aiohttp; import it where a door is opened.
"""
