/* id_map.h - ids to pointers: open addressing, power-of-two capacity, no tombstones.
 *
 * Private to queue/. Threads: one at a time. Ids may be any number but INT64_MIN.
 */
#ifndef RF_QUEUE_ID_MAP_H
#define RF_QUEUE_ID_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

typedef struct rfi_id_slot {
    int64_t id;
    void *value; /* NULL: a free slot */
} rfi_id_slot;

typedef struct rfi_id_map {
    rfi_id_slot *slots;
    size_t n, capacity;
} rfi_id_map;

/* A zeroed map is empty. free does not touch what the values point to. */
void rfi_id_map_free(rfi_id_map *map);
void *rfi_id_map_find(const rfi_id_map *map, int64_t id); /* NULL: not there */
/* `value` is not NULL; an id that is there gets the new one. NO_MEMORY changes nothing. */
rf_code rfi_id_map_put(rfi_id_map *map, int64_t id, void *value, rf_error *err) RF_MUST_CHECK;
void *rfi_id_map_remove(rfi_id_map *map, int64_t id); /* what it was; NULL: not there */
/* Walks over all: *at begins at 0; NULL at the end. Nothing may be put or removed meanwhile. */
void *rfi_id_map_next(const rfi_id_map *map, size_t *at);

#endif
