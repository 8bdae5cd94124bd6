"""Read a database of ours with SQLite3 Multiple Ciphers, which shares no code with SQLCipher.

Runs in an environment of its own. The key comes over standard input; what was found goes, as JSON,
to standard output.
"""

from __future__ import annotations

import json
import sys
import time

import apsw

NEWEST = "SELECT * FROM messages WHERE id < ? AND id >= ? ORDER BY id DESC LIMIT ?"


def main(path: str, limit: int, cids: list[int]) -> None:
    """Open the file as a standard SQLCipher 4 database, check it, and page through it."""
    db = apsw.Connection(path)
    for pragma in ("cipher = 'sqlcipher'", "legacy = 4", f"key = \"x'{sys.stdin.readline()}'\""):
        db.execute(f"PRAGMA {pragma}")
    ((verdict,),) = db.execute("PRAGMA integrity_check")
    ((count,),) = db.execute("SELECT count(*) FROM messages")
    taken = []
    for cid in cids:
        began = time.perf_counter_ns()
        list(db.execute(NEWEST, ((cid + 1) << 32, cid << 32, limit)))
        taken.append((time.perf_counter_ns() - began) / 1e6)
    version = f"{apsw.apsw_version()} (SQLite {apsw.sqlite_lib_version()})"
    found = {"whole": verdict == "ok", "count": count, "ms": taken, "version": version}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3]))
