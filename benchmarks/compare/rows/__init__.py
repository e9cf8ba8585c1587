"""The rows of the comparison: each module measures what belongs together, each function one row."""

from collections.abc import Callable

from benchmarks.compare.goals import Section
from benchmarks.compare.rows import bulk, calls, connections, memory, small, start
from benchmarks.compare.run import Run

# In the order of the page. The names are those of --only.
ROWS: dict[str, Callable[[Run], Section]] = {
    "warm": small.warm,
    "varied": small.varied,
    "warm-https": small.warm_https,
    "one-shot": small.one_shot,
    "one-shot-https": small.one_shot_https,
    "resumed": connections.resumed,
    "stream": bulk.stream,
    "content": bulk.content,
    "content-memory": memory.content,
    "upload": bulk.upload,
    "threads": small.threads,
    "idle-pool": connections.idle_pool,
    "import": start.importing,
    "no-tls": start.no_tls,
    "idle-memory": memory.idle,
    "calls": calls.hot_path,
}
