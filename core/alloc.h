/* alloc.h - memory from the heap, one door for all of it.
 *
 * Every heap allocation below the command line goes through here, so that a test can make the Nth one
 * fail (rf_alloc_fail_at) and prove that nothing leaks and nothing crashes. Sizes are products of
 * counts that came from somebody's data: the array forms check them for overflow.
 *
 * Any pointer from here is freed with rf_free, which accepts NULL. Any thread.
 */
#ifndef RF_CORE_ALLOC_H
#define RF_CORE_ALLOC_H

#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

/* NULL when there is no memory. A size of 0 gives a pointer that may be freed. */
void *rf_malloc(size_t size);
void *rf_realloc(void *pointer, size_t size);
void rf_free(void *pointer);

/* The same for a long array that is written from end to end: where the system has large pages it is asked for them, since
 * the first touch of each small one costs as much as a few hundred numbers. */
void *rf_malloc_long(size_t size);

/* Of an array of `size` bytes from there: asks for the large pages that begin in `n_bytes` from `offset` on, before they are
 * written. What they hold stays. Advice only. */
void rf_touch_long(void *memory, size_t size, size_t offset, size_t n_bytes);

/* count * size bytes, zeroed, at a 64-byte boundary; on failure *out is NULL, the code NO_MEMORY and
 * the message names `what` ("the mixture of column age") and the bytes that were asked for. */
rf_code rf_alloc_array(void **out, size_t count, size_t size, const char *what, rf_error *err) RF_MUST_CHECK;

/* RF_NEW_ARRAY(&values, n, "the column age", err): typed front of rf_alloc_array. */
#define RF_NEW_ARRAY(out, count, what, err)                                                                  \
    rf_alloc_array((void **)(out), (size_t)(count), sizeof **(out), (what), (err))

/* Grows *array (current capacity *capacity elements) to at least `needed` elements, doubling; the old
 * content stays, the new part is uninitialised. On failure nothing changed. */
rf_code rf_grow_array(void **array, size_t *capacity, size_t needed, size_t size, const char *what,
                      rf_error *err) RF_MUST_CHECK;

/* For tests: the nth allocation from now (1 = the next) fails, once; 0 switches it off.
 * rf_alloc_count says how many were made since the last call of rf_alloc_fail_at. */
void rf_alloc_fail_at(int64_t nth);
int64_t rf_alloc_count(void);

#endif
