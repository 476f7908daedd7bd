/* frames.h - the words of the socket protocol between the queue and a worker; docs/queue.md shows them byte by byte.
 *
 *      u32 size   of what follows                 request: u8 verb,        u32 number, fields
 *      u8  verb   | 0x80 in a reply               reply:   u8 verb | 0x80, u32 number of the request, u8 code, fields;
 *      u32 number                                          of a failure: string message
 *
 * Numbers are little-endian, strings have a u32 length before them and no NUL in them. Both ends check every length;
 * a frame that is not exactly as it should be ends the connection. Private to queue/. Threads: none shared.
 */
#ifndef RF_QUEUE_FRAMES_H
#define RF_QUEUE_FRAMES_H

#include "core/buf.h"
#include "queue/queue.h"

enum {
    RFI_PROTOCOL = 1,
    RFI_FRAME_MAX = 9 << 20, /* a body of 8 MiB and what stands around it */
    RFI_FRAME_HEAD = 9,      /* size, verb, number                        */
};

typedef enum rfi_verb {
    RFI_REGISTER = 1,
    RFI_LEASE,
    RFI_BEAT,
    RFI_BEAT_WAIT,
    RFI_SEND,
    RFI_REPLY = 0x80
} rfi_verb;

typedef struct rfi_frame {
    uint8_t verb;
    uint32_t number;
    rf_reader body;    /* into the buffer that was looked at */
    size_t size_bytes; /* of the whole frame                 */
} rfi_frame;

/* Looks at the beginning of `data`: 1 when a whole frame is there, 0 when more is needed, -1 when it cannot be one. */
int rfi_frame_look(rfi_frame *out, const void *data, size_t size_bytes);

/* A frame is written between begin and end; the number begin returns goes to end. */
size_t rfi_frame_begin(rf_buf *out, uint8_t verb, uint32_t number);
void rfi_frame_end(rf_buf *out, size_t at);
/* A reply without fields, or one that carries err's sentence. */
void rfi_frame_answer(rf_buf *out, uint8_t verb, uint32_t number, rf_code code, const rf_error *err);

/* The whole reader must have been used, and nothing been missing. */
static inline bool rfi_frame_used(const rf_reader *reader)
{
    return !reader->failed && rf_reader_left(reader) == 0;
}

void rfi_put_text(rf_buf *out, const char *text);
bool rfi_get_text(rf_reader *reader, char *out, size_t capacity); /* false: too long, or a NUL in it */
bool rfi_get_owned(rf_reader *reader, size_t most, char **out);   /* *out is the caller's            */

void rfi_put_worker(rf_buf *out, const rf_worker_info *self);
bool rfi_get_worker(rf_reader *reader, rf_worker_info *out);
void rfi_put_lease(rf_buf *out, const rf_lease *lease);
bool rfi_get_lease(rf_reader *reader, rf_lease *out);
void rfi_put_event(rf_buf *out, const rf_event *event);
bool rfi_get_event(rf_reader *reader, rf_event *out); /* rf_event_free, also after false */

#endif
