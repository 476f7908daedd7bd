#include "queue/frames.h"

#include <string.h>

#include "core/alloc.h"
#include "domain/result.h"

/* ------------------------------------------------------------------ frames */

int rfi_frame_look(rfi_frame *out, const void *data, size_t size_bytes)
{
    rf_reader reader;
    rf_reader_init(&reader, data, size_bytes);
    if (size_bytes < 4)
        return 0;
    const uint32_t size = rf_get_u32(&reader);
    if (size < RFI_FRAME_HEAD - 4 || size > RFI_FRAME_MAX)
        return -1;
    if (size > size_bytes - 4)
        return 0;
    rf_reader_init(&reader, (const char *)data + 4, size);
    out->verb = rf_get_u8(&reader);
    out->number = rf_get_u32(&reader);
    out->body = reader;
    out->size_bytes = 4 + (size_t)size;
    return 1;
}

size_t rfi_frame_begin(rf_buf *out, uint8_t verb, uint32_t number)
{
    const size_t at = out->size_bytes;
    rf_put_u32(out, 0);
    rf_put_u8(out, verb);
    rf_put_u32(out, number);
    return at;
}

void rfi_frame_end(rf_buf *out, size_t at)
{
    if (out->failed)
        return;
    const uint32_t size = (uint32_t)(out->size_bytes - at - 4);
    for (int i = 0; i < 4; i++)
        out->data[at + (size_t)i] = (char)(size >> 8 * i & 0xFF);
}

void rfi_frame_answer(rf_buf *out, uint8_t verb, uint32_t number, rf_code code, const rf_error *err)
{
    const size_t at = rfi_frame_begin(out, verb | RFI_REPLY, number);
    rf_put_u8(out, (uint8_t)code);
    if (code != RF_OK)
        rfi_put_text(out, err->message);
    rfi_frame_end(out, at);
}

/* ------------------------------------------------------------------ texts */

void rfi_put_text(rf_buf *out, const char *text)
{
    rf_put_string(out, text ? text : "", text ? strlen(text) : 0);
}

bool rfi_get_text(rf_reader *reader, char *out, size_t capacity)
{
    size_t length;
    const char *text = rf_get_string(reader, &length);
    if (!text || length >= capacity || memchr(text, 0, length))
        return false;
    memcpy(out, text, length);
    out[length] = '\0';
    return true;
}

bool rfi_get_owned(rf_reader *reader, size_t most, char **out)
{
    size_t length;
    const char *text = rf_get_string(reader, &length);
    *out = NULL;
    if (!text || length > most || memchr(text, 0, length))
        return false;
    *out = rf_malloc(length + 1);
    if (!*out)
        return false;
    memcpy(*out, text, length);
    (*out)[length] = '\0';
    return true;
}

/* ------------------------------------------------------------------ records */

void rfi_put_worker(rf_buf *out, const rf_worker_info *self)
{
    rf_put_u32(out, RFI_PROTOCOL);
    rfi_put_text(out, self->host);
    rfi_put_text(out, self->version);
    rfi_put_text(out, self->device);
    rfi_put_text(out, self->need);
    rf_put_i64(out, self->pid);
    rf_put_i64(out, self->memory_bytes);
    rf_put_i64(out, self->device_memory_bytes);
    rf_put_i64(out, self->rss_bytes);
}

bool rfi_get_worker(rf_reader *reader, rf_worker_info *out)
{
    *out = (rf_worker_info){0};
    if (rf_get_u32(reader) != RFI_PROTOCOL || !rfi_get_text(reader, out->host, sizeof out->host) ||
        !rfi_get_text(reader, out->version, sizeof out->version) ||
        !rfi_get_text(reader, out->device, sizeof out->device) ||
        !rfi_get_text(reader, out->need, sizeof out->need))
        return false;
    out->pid = rf_get_i64(reader);
    out->memory_bytes = rf_get_i64(reader);
    out->device_memory_bytes = rf_get_i64(reader);
    out->rss_bytes = rf_get_i64(reader);
    return rfi_frame_used(reader);
}

void rfi_put_lease(rf_buf *out, const rf_lease *lease)
{
    rf_put_i64(out, lease->job_id);
    rf_put_i64(out, lease->token);
    rf_put_i64(out, lease->user_id);
    rf_put_u8(out, (uint8_t)lease->kind);
    rf_put_i64(out, lease->lease_ms);
    rfi_put_text(out, lease->plan);
}

bool rfi_get_lease(rf_reader *reader, rf_lease *out)
{
    *out = (rf_lease){0};
    out->job_id = rf_get_i64(reader);
    out->token = rf_get_i64(reader);
    out->user_id = rf_get_i64(reader);
    const uint8_t kind = rf_get_u8(reader);
    out->lease_ms = rf_get_i64(reader);
    if (reader->failed || kind >= RF_JOB_KIND_COUNT)
        return false;
    out->kind = (rf_job_kind)kind;
    return rfi_get_owned(reader, RFI_FRAME_MAX, &out->plan) && rfi_frame_used(reader);
}

void rfi_put_event(rf_buf *out, const rf_event *event)
{
    rf_put_u8(out, (uint8_t)event->kind);
    rf_put_i64(out, event->job_id);
    rf_put_i64(out, event->token);
    rf_put_i64(out, event->worker_id);
    rfi_put_text(out, event->body);
}

bool rfi_get_event(rf_reader *reader, rf_event *out)
{
    *out = (rf_event){0};
    const uint8_t kind = rf_get_u8(reader);
    out->job_id = rf_get_i64(reader);
    out->token = rf_get_i64(reader);
    out->worker_id = rf_get_i64(reader);
    if (reader->failed || kind >= RF_EVENT_KIND_COUNT)
        return false;
    out->kind = (rf_event_kind)kind;
    return rfi_get_owned(reader, RF_RESULT_BYTES_MAX, &out->body) && rfi_frame_used(reader);
}
