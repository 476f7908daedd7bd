/* golden.h - text files of named arrays of numbers, made by the scripts in tests/reference. */
#ifndef GOLDEN_H
#define GOLDEN_H

#include <stdint.h>

#include "engine/model/model.h"

typedef struct golden_array {
    char name[48];
    int n;
    double *values;
} golden_array;

typedef struct golden {
    golden_array arrays[64];
    int n;
} golden;

/* Reads tests/reference/<file>; the test fails when it cannot. */
void golden_open(golden *out, const char *file);
void golden_close(golden *g);
const golden_array *golden_find(const golden *g, const char *name);

/* The coded table that the file describes, with its layout and the counts of its conditions. */
typedef struct golden_table {
    rf_span spans[16];
    rf_layout layout;
    rf_coded rows;
    int64_t counts[64];
} golden_table;

void golden_table_open(golden_table *out, const golden *g);
void golden_table_close(golden_table *table);

#endif
