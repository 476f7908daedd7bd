"""The peer of bench_http.py: a status poll as FastAPI's users write it, doing the same work.

A bearer token is checked (JWT HS256), the account is asked of memory as there, one row is read from SQLite by its key
and owner, and the same envelope goes out. Run by bench_http.py with uvicorn, uvloop and httptools.
"""
import datetime
import os
import sqlite3

import jwt
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

SECRET = os.environ["PEER_SECRET"]
app = FastAPI()
bearer = HTTPBearer()
db = sqlite3.connect(os.environ["PEER_DB"], check_same_thread=False)
db.executescript("""
CREATE TABLE IF NOT EXISTS jobs (id INTEGER PRIMARY KEY, user_id INTEGER, state TEXT, progress TEXT, attempt INTEGER,
  dataset_id INTEGER, n_rows INTEGER, created_ms INTEGER, started_ms INTEGER, finished_ms INTEGER);
INSERT OR IGNORE INTO jobs VALUES (2, 1, 'pending_approval', NULL, 0, 1, 200, 1700000000000, NULL, NULL);
""")


def caller(credentials: HTTPAuthorizationCredentials = Depends(bearer)):
    try:
        claims = jwt.decode(credentials.credentials, SECRET, algorithms=["HS256"])
    except jwt.PyJWTError as error:
        raise HTTPException(401) from error
    return int(claims["sub"])


def moment(ms):
    return None if ms is None else datetime.datetime.fromtimestamp(ms / 1000, datetime.timezone.utc).isoformat()


@app.get("/generation/status/{job_id}")
async def status(job_id: int, user_id: int = Depends(caller)):
    row = db.execute("SELECT id, state, progress, attempt, dataset_id, n_rows, created_ms, started_ms, finished_ms "
                     "FROM jobs WHERE id = ? AND user_id = ?", (job_id, user_id)).fetchone()
    if row is None:
        raise HTTPException(404)
    return JSONResponse({"success": True, "data": {
        "id": row[0], "status": row[1], "progress": row[2], "queue_position": None, "quality": None, "error": None,
        "attempt": row[3], "dataset_id": row[4], "sample_size": row[5], "created_at": moment(row[6]),
        "started_at": moment(row[7]), "finished_at": moment(row[8])}, "message": row[1],
        "timestamp": datetime.datetime.now(datetime.timezone.utc).isoformat()})
