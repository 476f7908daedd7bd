#include "core/alloc.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    LINE_BYTES = 64,
    LARGE_PAGE_BYTES = 2 << 20,
    LONG_BYTES = 2 * LARGE_PAGE_BYTES, /* shorter arrays would waste too much of their last page */
};

/* More than any machine has for one piece: a size beyond it is a count gone wrong, and the sanitizers'
 * allocators end the program for it where malloc would give NULL. */
static const size_t largest_bytes = (size_t)1 << 40;

/* ---- failing on purpose -------------------------------------------------------------------- */

/* Counting starts with the first call of rf_alloc_fail_at: until then an allocation pays for one
 * relaxed load, and threads do not fight over a counter that nobody reads. */
static atomic_bool counting;
static _Atomic int64_t n_made;
static _Atomic int64_t fail_at;

void rf_alloc_fail_at(int64_t nth)
{
    atomic_store(&n_made, 0);
    atomic_store(&fail_at, nth);
    atomic_store(&counting, true);
}

int64_t rf_alloc_count(void)
{
    return atomic_load(&n_made);
}

/* Counts an allocation; true when it is the one that must fail. */
static bool must_fail(void)
{
    if (!atomic_load_explicit(&counting, memory_order_relaxed))
        return false;
    return atomic_fetch_add(&n_made, 1) + 1 == atomic_load(&fail_at);
}

/* ---- one piece ----------------------------------------------------------------------------- */

void *rf_malloc(size_t size)
{
    if (must_fail() || size >= largest_bytes)
        return NULL;
    return malloc(size ? size : 1);
}

void *rf_malloc_long(size_t size)
{
    void *memory = NULL;
    if (size < LONG_BYTES)
        return rf_malloc(size);
    if (must_fail() || size >= largest_bytes || posix_memalign(&memory, LARGE_PAGE_BYTES, size) != 0)
        return NULL;
    madvise(memory, size, MADV_HUGEPAGE); /* advice only */
    return memory;
}

void rf_touch_long(void *memory, size_t size, size_t offset, size_t n_bytes)
{
#if defined(MADV_POPULATE_WRITE)
    const size_t end = n_bytes < size - offset ? offset + n_bytes : size;
    size_t page = (offset + LARGE_PAGE_BYTES - 1) / LARGE_PAGE_BYTES * LARGE_PAGE_BYTES;
    for (; size >= LONG_BYTES && page < end; page += LARGE_PAGE_BYTES)
        madvise((char *)memory + page, size - page < LARGE_PAGE_BYTES ? size - page : LARGE_PAGE_BYTES,
                MADV_POPULATE_WRITE);
#else
    (void)memory, (void)size, (void)offset, (void)n_bytes;
#endif
}

void *rf_realloc(void *pointer, size_t size)
{
    if (must_fail() || size >= largest_bytes)
        return NULL;
    return realloc(pointer, size ? size : 1);
}

void rf_free(void *pointer)
{
    free(pointer);
}

/* ---- arrays -------------------------------------------------------------------------------- */

static rf_code no_memory(rf_error *err, const char *what, size_t count, size_t size)
{
    return rf_fail(err, RF_NO_MEMORY, "not enough memory for %s (%.0f bytes were needed)",
                   what ? what : "the work", (double)count * (double)size);
}

rf_code rf_alloc_array(void **out, size_t count, size_t size, const char *what, rf_error *err)
{
    size_t bytes = 0;
    void *memory = NULL;
    *out = NULL;
    if (must_fail() || __builtin_mul_overflow(count, size, &bytes) || bytes >= largest_bytes ||
        posix_memalign(&memory, LINE_BYTES, bytes ? bytes : 1) != 0)
        return no_memory(err, what, count, size);
    memset(memory, 0, bytes);
    *out = memory;
    return RF_OK;
}

/* The pages that realloc would move are small ones. */
static void *move_to_long(void *from, size_t n_bytes, size_t size)
{
    void *memory = rf_malloc_long(size);
    if (memory && n_bytes)
        memcpy(memory, from, n_bytes);
    if (memory)
        rf_free(from);
    return memory;
}

rf_code rf_grow_array(void **array, size_t *capacity, size_t needed, size_t size, const char *what,
                      rf_error *err)
{
    if (needed <= *capacity)
        return RF_OK;
    size_t wanted = *capacity < 8 ? 8 : *capacity;
    while (wanted < needed)
        wanted = wanted > SIZE_MAX / 2 ? needed : wanted * 2;
    size_t bytes = 0;
    void *grown = NULL;
    if (!__builtin_mul_overflow(wanted, size, &bytes))
        grown =
            bytes < LONG_BYTES ? rf_realloc(*array, bytes) : move_to_long(*array, *capacity * size, bytes);
    if (!grown)
        return no_memory(err, what, wanted, size);
    *array = grown;
    *capacity = wanted;
    return RF_OK;
}
