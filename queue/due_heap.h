/* due_heap.h - a binary heap of things that know their place in it, lowest key first, ties by id.
 *
 * Used for delayed jobs (due time), leases (deadline) and users (virtual time). A thing embeds an rfi_due; a thing
 * that is in a heap can be moved or taken out in O(log n). Private to queue/. Threads: one at a time.
 */
#ifndef RF_QUEUE_DUE_HEAP_H
#define RF_QUEUE_DUE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

typedef struct rfi_due {
    double key;   /* milliseconds are exact up to 2^53 */
    int64_t id;   /* breaks ties: the order is total   */
    size_t place; /* 1-based; 0: in no heap          */
} rfi_due;

typedef struct rfi_due_heap {
    rfi_due **list;
    size_t n, capacity;
} rfi_due_heap;

void rfi_due_free(rfi_due_heap *heap);
/* Room for so many in all, so that pushes up to there cannot fail. */
rf_code rfi_due_reserve(rfi_due_heap *heap, size_t n, rf_error *err) RF_MUST_CHECK;
void rfi_due_push(rfi_due_heap *heap, rfi_due *due, double key); /* room must be there (reserve) */
void rfi_due_remove(rfi_due_heap *heap, rfi_due *due);           /* nothing when it is in none   */
void rfi_due_move(rfi_due_heap *heap, rfi_due *due, double key); /* it is in the heap             */
static inline rfi_due *rfi_due_first(const rfi_due_heap *heap)
{
    return heap->n ? heap->list[0] : NULL;
}

#endif
