/* hand_table.h - small tables written down in a test.
 *
 *     rf_table *t = hand_table(3, (hand_column[]){{"age", RF_KIND_INTEGER, .values = NUMBERS(1, NAN, 3)},
 *                                                 {"sex", RF_KIND_CATEGORICAL, .texts = TEXTS("f", NULL, "m")},
 *                                                 {0}});
 *
 * NAN and NULL are missing cells. Freed with rf_table_free.
 */
#ifndef HAND_TABLE_H
#define HAND_TABLE_H

#include <math.h>

#include "engine/table/table.h"
#include "rf_test.h"

typedef struct hand_column {
    const char *name; /* NULL ends the list */
    rf_kind kind;
    const double *values;
    const char *const *texts;
    int32_t decimals;
    const char *datetime_format, *regex;
    bool primary_key;
} hand_column;

static inline void hand_fill_codes(rf_table *table, int32_t index, const char *const *texts)
{
    rf_error err = {0};
    rf_column *column = &table->columns[index];
    int64_t *offsets = calloc((size_t)table->n_rows + 1, sizeof *offsets);
    const char **seen = calloc((size_t)table->n_rows + 1, sizeof *seen);
    char *bytes = calloc(1, 1 << 20);
    rf_dict dict = {.offsets = offsets, .bytes = bytes};
    for (int64_t row = 0; row < table->n_rows; row++) {
        int32_t code = 0;
        column->codes[row] = -1;
        if (!texts[row]) {
            column->n_missing++;
            continue;
        }
        while (code < dict.n && strcmp(seen[code], texts[row]) != 0)
            code++;
        if (code == dict.n) {
            seen[code] = texts[row];
            memcpy(bytes + offsets[code], texts[row], strlen(texts[row]));
            offsets[++dict.n] = offsets[code] + (int64_t)strlen(texts[row]);
        }
        column->codes[row] = code;
    }
    assert_ok(rf_table_set_dict(table, index, &dict, &err));
    free(bytes);
    free(seen);
    free(offsets);
}

static inline rf_table *hand_table(int64_t n_rows, const hand_column *columns)
{
    rf_error err = {0};
    rf_field fields[64] = {0};
    rf_schema schema = {.fields = fields, .dialect = {.delimiter = ',', .decimal_point = '.'}};
    rf_table *table = NULL;
    for (; columns[schema.n_fields].name; schema.n_fields++) {
        const hand_column *from = &columns[schema.n_fields];
        fields[schema.n_fields] = (rf_field){.name = from->name,
                                             .label = from->name,
                                             .kind = from->kind,
                                             .decimals = from->decimals,
                                             .min_decimals = from->decimals,
                                             .datetime_format = from->datetime_format,
                                             .regex = from->regex,
                                             .primary_key = from->primary_key,
                                             .missing_text = ""};
    }
    assert_ok(rf_table_create(&table, &schema, n_rows, &err));
    for (int32_t i = 0; i < schema.n_fields; i++) {
        rf_column *column = &table->columns[i];
        if (columns[i].texts)
            hand_fill_codes(table, i, columns[i].texts);
        for (int64_t row = 0; columns[i].values && row < n_rows; row++) {
            column->values[row] = columns[i].values[row];
            column->n_missing += isnan(column->values[row]);
        }
    }
    return table;
}

#define NUMBERS(...)                                                                                         \
    (const double[])                                                                                         \
    {                                                                                                        \
        __VA_ARGS__                                                                                          \
    }
#define TEXTS(...)                                                                                           \
    (const char *const[])                                                                                    \
    {                                                                                                        \
        __VA_ARGS__                                                                                          \
    }

#endif
