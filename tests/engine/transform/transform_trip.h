/* transform_trip.h - a table's way to codes and back, for the tests of the transform. */
#ifndef TRANSFORM_TRIP_H
#define TRANSFORM_TRIP_H

#include "engine/transform/transform.h"
#include "rf_test.h"
#include "transform_rig.h"

static const rf_transform_options trip_options = {.seed = 5};

static inline rf_transform *trip_fit(const rf_table *table, const rf_transform_options *with, rf_notes *notes)
{
    rf_error err = {0};
    rf_transform *transform = NULL;
    assert_ok(rf_transform_fit(&transform, table, with, NULL, notes, &err));
    return transform;
}

/* Column of a result that has no ignored columns. */
static inline int32_t trip_result(int32_t field)
{
    return field > RIG_SKIP ? field - 1 : field;
}

static inline const rf_span *trip_span(const rf_transform *transform, int32_t n)
{
    return &rf_transform_layout(transform)->spans[n];
}

typedef struct trip {
    rf_table *table, *back;
    rf_transform *transform;
    rf_coded coded;
} trip;

static inline trip trip_make(rf_table *table, const rf_transform_options *with)
{
    rf_error err = {0};
    trip t = {.table = table, .transform = trip_fit(table, with, NULL)};
    assert_ok(rf_transform_apply(t.transform, table, 9, NULL, &t.coded, &err));
    assert_ok(rf_transform_invert(t.transform, &t.coded, 0, 9, NULL, &t.back, &err));
    return t;
}

static inline void trip_end(trip *t)
{
    rf_table_free(t->table);
    rf_table_free(t->back);
    rf_transform_free(t->transform);
    rf_coded_free(&t->coded);
}

#endif
