/* arena.h - memory that dies together.
 *
 * An arena hands out pieces and frees all of them at once. Failure is sticky: after one piece could
 * not be had, every later request gives NULL too, so a caller may reserve ten things and check once:
 *
 *     rf_arena arena;
 *     rf_arena_init(&arena);
 *     int64_t *counts = RF_ARENA_ARRAY(&arena, int64_t, n);
 *     char *name = rf_arena_string(&arena, text, length);
 *     RF_TRY(rf_arena_check(&arena, "the schema", err));
 *
 * Pieces are zeroed and aligned to 64 bytes when they are 64 bytes or longer, else to 16. Under
 * AddressSanitizer every piece is its own malloc, so that an overrun is seen.
 *
 * Threads: one at a time.
 */
#ifndef RF_CORE_ARENA_H
#define RF_CORE_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

typedef struct rf_arena_chunk rf_arena_chunk;

typedef struct rf_arena {
    rf_arena_chunk *chunks;
    size_t used_bytes; /* handed out so far */
    bool failed;
} rf_arena;

void rf_arena_init(rf_arena *arena);
void rf_arena_free(rf_arena *arena); /* everything; the arena may be used again */

void *rf_arena_alloc(rf_arena *arena, size_t count, size_t size);
#define RF_ARENA_ARRAY(arena, type, count) ((type *)rf_arena_alloc((arena), (size_t)(count), sizeof(type)))
#define RF_ARENA_NEW(arena, type) RF_ARENA_ARRAY(arena, type, 1)

/* A copy of `length` bytes with a final NUL. */
char *rf_arena_string(rf_arena *arena, const char *text, size_t length);

/* NO_MEMORY naming `what` if anything failed since init. */
rf_code rf_arena_check(const rf_arena *arena, const char *what, rf_error *err) RF_MUST_CHECK;

#endif
