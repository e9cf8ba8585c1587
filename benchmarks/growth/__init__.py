"""`make bench-growth`: how a session does with more threads, further away, and with larger bodies.

pystickyhttp stands there twice, with one session for all requests (pooled) and with one for each (fresh),
beside the pooled sessions of requests, httpx and urllib3. Every point of a line is the median of several
rounds, in which all points of all lines of an axis take turns.
"""
