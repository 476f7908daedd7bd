#include "queue/due_heap.h"

#include <assert.h>

#include "core/alloc.h"

static bool before(const rfi_due *a, const rfi_due *b)
{
    return a->key < b->key || (a->key == b->key && a->id < b->id);
}

static void put_at(rfi_due_heap *heap, size_t i, rfi_due *due)
{
    heap->list[i] = due;
    due->place = i + 1;
}

static void rise(rfi_due_heap *heap, size_t i)
{
    rfi_due *due = heap->list[i];
    while (i > 0 && before(due, heap->list[(i - 1) / 2])) {
        put_at(heap, i, heap->list[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    put_at(heap, i, due);
}

static void sink(rfi_due_heap *heap, size_t i)
{
    rfi_due *due = heap->list[i];
    for (size_t child; (child = 2 * i + 1) < heap->n; i = child) {
        if (child + 1 < heap->n && before(heap->list[child + 1], heap->list[child]))
            child++;
        if (!before(heap->list[child], due))
            break;
        put_at(heap, i, heap->list[child]);
    }
    put_at(heap, i, due);
}

void rfi_due_free(rfi_due_heap *heap)
{
    rf_free(heap->list);
    *heap = (rfi_due_heap){0};
}

rf_code rfi_due_reserve(rfi_due_heap *heap, size_t n, rf_error *err)
{
    return rf_grow_array((void **)&heap->list, &heap->capacity, n, sizeof *heap->list, "the queue's order",
                         err);
}

void rfi_due_push(rfi_due_heap *heap, rfi_due *due, double key)
{
    assert(due->place == 0 && heap->n < heap->capacity);
    due->key = key;
    put_at(heap, heap->n++, due);
    rise(heap, heap->n - 1);
}

void rfi_due_remove(rfi_due_heap *heap, rfi_due *due)
{
    if (due->place == 0)
        return;
    const size_t i = due->place - 1;
    rfi_due *last = heap->list[--heap->n];
    due->place = 0;
    if (last == due)
        return;
    put_at(heap, i, last);
    rise(heap, i);
    sink(heap, last->place - 1);
}

void rfi_due_move(rfi_due_heap *heap, rfi_due *due, double key)
{
    assert(due->place > 0);
    due->key = key;
    rise(heap, due->place - 1);
    sink(heap, due->place - 1);
}
