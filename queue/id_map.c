#include "queue/id_map.h"

#include "core/alloc.h"

enum { CAPACITY_LEAST = 16 };

/* Ids come in runs; the multiplication spreads them (Knuth's golden ratio). */
static size_t home_of(const rfi_id_map *map, int64_t id)
{
    uint64_t h = (uint64_t)id * UINT64_C(0x9E3779B97F4A7C15);
    return (size_t)(h ^ h >> 32) & (map->capacity - 1);
}

/* The slot that holds id, or the free one where it belongs. */
static size_t slot_of(const rfi_id_map *map, int64_t id)
{
    size_t at = home_of(map, id);
    while (map->slots[at].value && map->slots[at].id != id)
        at = (at + 1) & (map->capacity - 1);
    return at;
}

void rfi_id_map_free(rfi_id_map *map)
{
    rf_free(map->slots);
    *map = (rfi_id_map){0};
}

void *rfi_id_map_find(const rfi_id_map *map, int64_t id)
{
    return map->capacity ? map->slots[slot_of(map, id)].value : NULL;
}

static rf_code grow(rfi_id_map *map, rf_error *err)
{
    rfi_id_map bigger = {.n = map->n, .capacity = map->capacity ? 2 * map->capacity : CAPACITY_LEAST};
    const rf_code rc = RF_NEW_ARRAY(&bigger.slots, bigger.capacity, "the queue's index", err);
    if (rc != RF_OK)
        return rc;
    for (size_t i = 0; i < map->capacity; i++)
        if (map->slots[i].value)
            bigger.slots[slot_of(&bigger, map->slots[i].id)] = map->slots[i];
    rf_free(map->slots);
    *map = bigger;
    return RF_OK;
}

rf_code rfi_id_map_put(rfi_id_map *map, int64_t id, void *value, rf_error *err)
{
    if (4 * (map->n + 1) > 3 * map->capacity) {
        const rf_code rc = grow(map, err);
        if (rc != RF_OK)
            return rc;
    }
    rfi_id_slot *slot = &map->slots[slot_of(map, id)];
    map->n += slot->value == NULL;
    *slot = (rfi_id_slot){.id = id, .value = value};
    return RF_OK;
}

/* Later members of the run move up into the hole, unless that would put them before their home. */
static void close_hole(rfi_id_map *map, size_t hole)
{
    const size_t mask = map->capacity - 1;
    for (size_t at = (hole + 1) & mask; map->slots[at].value; at = (at + 1) & mask) {
        const size_t home = home_of(map, map->slots[at].id);
        if (((at - home) & mask) < ((at - hole) & mask))
            continue;
        map->slots[hole] = map->slots[at];
        hole = at;
    }
    map->slots[hole] = (rfi_id_slot){0};
}

void *rfi_id_map_remove(rfi_id_map *map, int64_t id)
{
    if (!map->capacity)
        return NULL;
    const size_t at = slot_of(map, id);
    void *value = map->slots[at].value;
    if (!value)
        return NULL;
    map->n--;
    close_hole(map, at);
    return value;
}

void *rfi_id_map_next(const rfi_id_map *map, size_t *at)
{
    while (*at < map->capacity) {
        void *value = map->slots[(*at)++].value;
        if (value)
            return value;
    }
    return NULL;
}
