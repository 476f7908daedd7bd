/* An arena is a list of chunks, the one in use first. Chunks come zeroed and are never reused, so the
 * pieces need no clearing. A piece that is large against the chunk gets a chunk of its own, behind the
 * first, so that the rest of the first is not lost. */
#include "core/arena.h"

#include <stdalign.h>
#include <string.h>

#include "core/alloc.h"

enum { LINE_BYTES = 64, SMALL_ALIGN = 16, FIRST_CHUNK_BYTES = 4096, LARGEST_CHUNK_BYTES = 1 << 20 };

#if defined(__SANITIZE_ADDRESS__)
#define PIECES_ALONE true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PIECES_ALONE true
#endif
#endif
#ifndef PIECES_ALONE
#define PIECES_ALONE false
#endif

struct rf_arena_chunk {
    alignas(LINE_BYTES) rf_arena_chunk *next;
    size_t used_bytes, size_bytes; /* of data */
    alignas(LINE_BYTES) char data[];
};

void rf_arena_init(rf_arena *arena)
{
    *arena = (rf_arena){0};
}

void rf_arena_free(rf_arena *arena)
{
    if (!arena)
        return;
    for (rf_arena_chunk *chunk = arena->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        rf_free(chunk);
    }
    rf_arena_init(arena);
}

/* ---- chunks -------------------------------------------------------------------------------- */

static rf_arena_chunk *new_chunk(size_t size_bytes)
{
    void *memory = NULL;
    if (size_bytes > SIZE_MAX - sizeof(rf_arena_chunk) ||
        rf_alloc_array(&memory, 1, sizeof(rf_arena_chunk) + size_bytes, NULL, NULL) != RF_OK)
        return NULL;
    rf_arena_chunk *chunk = memory;
    chunk->size_bytes = size_bytes;
    return chunk;
}

static void *piece_alone(rf_arena *arena, size_t bytes)
{
    rf_arena_chunk *chunk = new_chunk(bytes);
    if (!chunk)
        return NULL;
    chunk->used_bytes = bytes;
    rf_arena_chunk **place = arena->chunks ? &arena->chunks->next : &arena->chunks;
    chunk->next = *place;
    *place = chunk;
    return chunk->data;
}

/* Room in the first chunk for `bytes` at `align`, or NULL. */
static void *piece_of_first(rf_arena *arena, size_t bytes, size_t align)
{
    rf_arena_chunk *chunk = arena->chunks;
    if (!chunk)
        return NULL;
    size_t at = (chunk->used_bytes + align - 1) & ~(align - 1);
    if (at > chunk->size_bytes || bytes > chunk->size_bytes - at)
        return NULL;
    chunk->used_bytes = at + bytes;
    return chunk->data + at;
}

static size_t next_chunk_bytes(const rf_arena *arena)
{
    size_t bytes = FIRST_CHUNK_BYTES;
    while (bytes < LARGEST_CHUNK_BYTES && bytes <= arena->used_bytes)
        bytes *= 2;
    return bytes;
}

/* ---- pieces -------------------------------------------------------------------------------- */

static void *piece(rf_arena *arena, size_t bytes)
{
    size_t chunk_bytes = next_chunk_bytes(arena);
    if (PIECES_ALONE || bytes > chunk_bytes / 4)
        return piece_alone(arena, bytes);
    size_t align = bytes >= LINE_BYTES ? LINE_BYTES : SMALL_ALIGN;
    void *found = piece_of_first(arena, bytes, align);
    if (found)
        return found;
    rf_arena_chunk *chunk = new_chunk(chunk_bytes);
    if (!chunk)
        return NULL;
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    return piece_of_first(arena, bytes, align);
}

void *rf_arena_alloc(rf_arena *arena, size_t count, size_t size)
{
    size_t bytes = 0;
    void *found = NULL;
    if (!arena->failed && !__builtin_mul_overflow(count, size, &bytes))
        found = piece(arena, bytes);
    if (found)
        arena->used_bytes += bytes;
    else
        arena->failed = true;
    return found;
}

char *rf_arena_string(rf_arena *arena, const char *text, size_t length)
{
    char *copy = length < SIZE_MAX ? rf_arena_alloc(arena, length + 1, 1) : NULL;
    if (copy && length)
        memcpy(copy, text, length);
    return copy;
}

rf_code rf_arena_check(const rf_arena *arena, const char *what, rf_error *err)
{
    if (!arena->failed)
        return RF_OK;
    return rf_fail(err, RF_NO_MEMORY, "not enough memory for %s", what);
}
