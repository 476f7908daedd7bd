/* memory_events.c - words of workers, in order of arrival, until the scheduler takes them.
 *
 * A job has at most one progress and one end (done, failed, released) waiting: a newer progress takes the older one's
 * place, an end that is said again is not kept twice. So what waits is bounded by what is leased, and by
 * RFI_EVENTS_MAX and RFI_EVENT_BYTES_MAX besides.
 */
#include <string.h>

#include "core/alloc.h"
#include "queue/memory_state.h"

static bool is_end(rf_event_kind kind)
{
    return kind == RF_EVENT_DONE || kind == RF_EVENT_FAILED || kind == RF_EVENT_RELEASED;
}

static void node_free(rfi_memory *m, rfi_event_node *node)
{
    rfi_entry *entry = node->entry;
    if (entry && entry->progress == node)
        entry->progress = NULL;
    if (entry && entry->end == node)
        entry->end = NULL;
    rfi_link_remove(&node->link);
    m->n_events--;
    m->event_bytes -= node->size_bytes;
    rf_free(node);
}

static rf_code node_create(rfi_event_node **out, const rf_event *event, size_t size, rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_event_node *node = NULL;
    char *body = NULL;
    RF_TRY(RF_NEW_ARRAY(&node, 1, "an event", err));
    body = rf_malloc(size + 1);
    if (!body)
        RF_TRY(rf_fail(err, RF_NO_MEMORY, "there is no memory for an event of %zu bytes", size));
    memcpy(body, event->body ? event->body : "", size);
    body[size] = '\0';
    node->event = *event;
    node->event.body = body;
    node->size_bytes = size + sizeof *node;
    *out = node;
    node = NULL;
out:
    rf_free(node);
    return rc;
}

static void attach(rfi_entry *entry, rfi_event_node *node)
{
    if (!entry)
        return;
    if (node->event.kind == RF_EVENT_PROGRESS)
        entry->progress = node;
    else if (is_end(node->event.kind))
        entry->end = node;
    else
        return;
    node->entry = entry;
}

static void drop(rfi_memory *m, rfi_event_node *node)
{
    rf_free(node->event.body);
    node_free(m, node);
}

rf_code rfi_events_add(rfi_memory *m, const rf_event *event, rf_error *err)
{
    const size_t size = event->body ? strlen(event->body) : 0;
    rfi_event_node *node = NULL;
    rfi_entry *entry = rfi_id_map_find(&m->entries, event->job_id);
    if (entry && entry->token != event->token)
        entry = NULL;
    if (entry && entry->end && (is_end(event->kind) || event->kind == RF_EVENT_PROGRESS))
        return RF_OK;
    if (m->n_events >= RFI_EVENTS_MAX || m->event_bytes + size > RFI_EVENT_BYTES_MAX)
        return rf_fail(err, RF_UNAVAILABLE, "too many events wait for the scheduler; say it again later");
    const rf_code rc = node_create(&node, event, size, err);
    if (rc != RF_OK)
        return rc;
    if (entry && entry->progress && (event->kind == RF_EVENT_PROGRESS || is_end(event->kind)))
        drop(m, entry->progress);
    attach(entry, node);
    rfi_link_append(&m->events, &node->link);
    m->n_events++;
    m->event_bytes += node->size_bytes;
    m->stir_news = true;
    return RF_OK;
}

int32_t rfi_events_take(rfi_memory *m, rf_event *out, int32_t max)
{
    int32_t n = 0;
    while (n < max && m->events.next != &m->events) {
        rfi_event_node *node = RFI_OWNER(m->events.next, rfi_event_node, link);
        out[n++] = node->event;
        node_free(m, node);
    }
    return n;
}

void rfi_events_free(rfi_memory *m)
{
    while (m->events.next != &m->events) {
        rfi_event_node *node = RFI_OWNER(m->events.next, rfi_event_node, link);
        node->entry = NULL;
        drop(m, node);
    }
}
