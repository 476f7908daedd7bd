#include "api/stream.h"

#include <string.h>
#include <zlib.h>

#include "core/alloc.h"
#include "core/clock.h"

enum { BLOCK_BYTES = 32 << 10 };

void rfi_stream_init(rfi_stream *stream, ssize_t (*read)(rfi_stream *, char *, size_t),
                     void (*close)(rfi_stream *))
{
    *stream = (rfi_stream){.read = read, .close = close};
    pthread_mutex_init(&stream->lock, NULL);
}

void rfi_stream_destroy(rfi_stream *stream)
{
    pthread_mutex_destroy(&stream->lock);
}

/* Both sides hold the stream's lock, so a wake that comes between "nothing there" and falling asleep is not lost. */
void rfi_stream_wake(rfi_stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    rfi_stream *outer = stream->outer;
    stream->woken = !stream->asleep;
    if (stream->asleep) {
        stream->asleep = false;
        MHD_resume_connection(stream->connection);
    }
    pthread_mutex_unlock(&stream->lock);
    if (outer)
        rfi_stream_wake(outer);
}

bool rfi_stream_sleep(rfi_stream *stream, struct MHD_Connection *connection)
{
    pthread_mutex_lock(&stream->lock);
    const bool sleeps = !stream->woken;
    stream->woken = false;
    if (sleeps) {
        stream->connection = connection;
        stream->asleep = true;
        MHD_suspend_connection(connection);
    }
    pthread_mutex_unlock(&stream->lock);
    return sleeps;
}

/* ---- a client's pace --------------------------------------------------------------------------- */

/* False: it has used up what it had. */
static bool pace_spend(rfi_pace *pace)
{
    if (!pace->peer || !pace->waits)
        return true;
    pace->left_s -= rf_clock_s() - pace->given_s;
    pace->waits = false;
    rfi_peer_give(pace->peer, -1);
    return pace->left_s > 0;
}

/* What was saved is bounded: a gigabyte taken quickly is no leave to stall for a day. */
static void pace_give(rfi_pace *pace, ssize_t n)
{
    if (!pace->peer || n <= 0)
        return;
    pace->left_s += (double)n / pace->bytes_per_s;
    if (pace->left_s > RFI_PACE_MOST_S)
        pace->left_s = RFI_PACE_MOST_S;
    pace->given_s = rf_clock_s();
    pace->waits = true;
    rfi_peer_give(pace->peer, pace->left_s);
}

/* ---- for the library --------------------------------------------------------------------------- */

static ssize_t take(void *arg, uint64_t position, char *out, size_t capacity)
{
    rfi_stream *stream = arg;
    ssize_t n;
    (void)position;
    if (!pace_spend(&stream->pace))
        return MHD_CONTENT_READER_END_WITH_ERROR;
    pthread_mutex_lock(&stream->lock);
    do {
        stream->woken = false;
        n = stream->read(stream, out, capacity);
    } while (n == 0 && stream->woken);
    if (n == 0) {
        stream->asleep = true;
        MHD_suspend_connection(stream->connection);
    }
    pthread_mutex_unlock(&stream->lock);
    pace_give(&stream->pace, n);
    if (n == RFI_STREAM_END)
        return MHD_CONTENT_READER_END_OF_STREAM;
    return n < 0 ? MHD_CONTENT_READER_END_WITH_ERROR : n;
}

static void finish(void *arg)
{
    rfi_stream *stream = arg;
    stream->close(stream);
}

struct MHD_Response *rfi_stream_response(rfi_stream *stream, struct MHD_Connection *connection,
                                         int64_t size_bytes, rfi_peer *peer, int64_t bytes_per_s)
{
    stream->connection = connection;
    if (bytes_per_s > 0)
        stream->pace =
            (rfi_pace){.peer = peer, .bytes_per_s = (double)bytes_per_s, .left_s = RFI_PACE_GRACE_S};
    return MHD_create_response_from_callback(size_bytes < 0 ? MHD_SIZE_UNKNOWN : (uint64_t)size_bytes,
                                             BLOCK_BYTES, take, stream, finish);
}

/* ---- compressed ------------------------------------------------------------------------------- */

/* The server reads the outer stream and puts it to sleep; who wakes the inner one wakes the outer one with it. */
typedef struct packer {
    rfi_stream outer;
    rfi_stream *inner;
    z_stream z;
    bool ended, flushed;
    char raw[BLOCK_BYTES / 2];
} packer;

static ssize_t read_packed(rfi_stream *stream, char *out, size_t capacity)
{
    packer *p = (packer *)stream;
    p->z.next_out = (Bytef *)out;
    p->z.avail_out = (uInt)capacity;
    while (p->z.avail_out > 0) {
        if (p->z.avail_in == 0 && !p->ended) {
            const ssize_t n = p->inner->read(p->inner, p->raw, sizeof p->raw);
            if (n == RFI_STREAM_BROKEN)
                return n;
            p->ended = n == RFI_STREAM_END;
            p->z.next_in = (Bytef *)p->raw;
            p->z.avail_in = n > 0 ? (uInt)n : 0;
        }
        /* with nothing more to read now, what there is goes out, so that a client sees each part when it comes */
        const bool idle = p->z.avail_in == 0 && !p->ended;
        const int rc = deflate(&p->z, p->ended ? Z_FINISH : idle ? Z_SYNC_FLUSH : Z_NO_FLUSH);
        if (rc == Z_STREAM_END || idle || rc == Z_BUF_ERROR)
            break;
        if (rc != Z_OK)
            return RFI_STREAM_BROKEN;
    }
    const size_t made = capacity - p->z.avail_out;
    if (made > 0)
        return (ssize_t)made;
    return p->ended ? RFI_STREAM_END : 0;
}

static void close_packed(rfi_stream *stream)
{
    packer *p = (packer *)stream;
    p->inner->close(p->inner);
    deflateEnd(&p->z);
    rfi_stream_destroy(&p->outer);
    rf_free(p);
}

rfi_stream *rfi_stream_gzip(rfi_stream *inner)
{
    packer *p = rf_malloc(sizeof *p);
    if (!p)
        return NULL;
    memset(p, 0, sizeof *p);
    if (deflateInit2(&p->z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        rf_free(p);
        return NULL;
    }
    rfi_stream_init(&p->outer, read_packed, close_packed);
    p->inner = inner;
    pthread_mutex_lock(&inner->lock);
    inner->outer = &p->outer;
    pthread_mutex_unlock(&inner->lock);
    return &p->outer;
}
