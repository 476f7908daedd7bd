#include "transform_rig.h"

#include <math.h>

#include "core/philox.h"
#include "rf_test.h"

rf_field rig_field(const char *name, rf_kind kind)
{
    return (rf_field){.name = name,
                      .label = name,
                      .kind = kind,
                      .decimals = kind == RF_KIND_CONTINUOUS ? 2 : 0,
                      .datetime_format = kind == RF_KIND_DATETIME ? "%Y-%m-%d" : NULL,
                      .missing_text = ""};
}

rf_table *rig_table(const rf_field *fields, int32_t n_fields, int64_t n_rows)
{
    rf_error err = {0};
    rf_table *table = NULL;
    rf_field copy[64];
    int32_t ignored[64], n_ignored = 0;
    assert_true(n_fields <= 64);
    memcpy(copy, fields, (size_t)n_fields * sizeof *fields);
    /* a table leaves ignored columns out; a table that was read has them */
    for (int32_t i = 0; i < n_fields; i++)
        if (copy[i].kind == RF_KIND_IGNORED) {
            copy[i].kind = RF_KIND_CATEGORICAL;
            ignored[n_ignored++] = i;
        }
    const rf_schema schema = {
        .n_fields = n_fields, .fields = copy, .dialect = {.delimiter = ',', .decimal_point = '.'}};
    assert_ok(rf_table_create(&table, &schema, n_rows, &err));
    for (int32_t i = 0; i < n_fields; i++)
        table->columns[i].n_missing = 0;
    for (int32_t i = 0; i < n_ignored; i++)
        table->schema.fields[ignored[i]].kind = RF_KIND_IGNORED;
    return table;
}

void rig_number(rf_table *table, int32_t column, int64_t row, double value)
{
    table->columns[column].values[row] = value;
    table->columns[column].n_missing += isnan(value);
}

void rig_texts(rf_table *table, int32_t column, rig_text_fn cell, void *arg)
{
    rf_error err = {0};
    const int64_t n = table->n_rows;
    rf_dict dict = {.offsets = calloc((size_t)n + 1, sizeof(int64_t)), .bytes = malloc((size_t)n * 64 + 1)};
    int32_t *slots = calloc(4 * (size_t)n + 16, sizeof *slots);
    const size_t mask_n = 4 * (size_t)n + 16;
    for (int64_t row = 0; row < n; row++) {
        char text[64];
        if (!cell(arg, row, text)) {
            table->columns[column].n_missing++;
            continue;
        }
        const size_t length = strlen(text);
        size_t slot = 5381;
        for (size_t i = 0; i < length; i++)
            slot = slot * 33 + (unsigned char)text[i];
        for (slot %= mask_n; slots[slot] != 0; slot = (slot + 1) % mask_n) {
            const int64_t first = dict.offsets[slots[slot] - 1];
            if ((size_t)(dict.offsets[slots[slot]] - first) == length &&
                memcmp(dict.bytes + first, text, length) == 0)
                break;
        }
        if (slots[slot] == 0) {
            memcpy(dict.bytes + dict.offsets[dict.n], text, length);
            dict.offsets[dict.n + 1] = dict.offsets[dict.n] + (int64_t)length;
            slots[slot] = ++dict.n;
        }
        table->columns[column].codes[row] = slots[slot] - 1;
    }
    assert_ok(rf_table_set_dict(table, column, &dict, &err));
    free(slots);
    free(dict.offsets);
    free(dict.bytes);
}

const char *rig_text(const rf_table *table, int32_t column, int64_t row)
{
    static char texts[4][512];
    static int turn;
    char *out = texts[turn++ % 4];
    const rf_column *cells = &table->columns[column];
    out[0] = '\0';
    if (cells->codes[row] < 0)
        return out;
    size_t length;
    const char *text = rf_dict_text(&cells->dict, cells->codes[row], &length);
    assert_true(length < sizeof texts[0]);
    memcpy(out, text, length);
    out[length] = '\0';
    return out;
}

double rig_uniform(uint64_t seed, int64_t i)
{
    const rf_philox_block b = rf_philox((rf_draw){.seed = seed, .purpose = RF_DRAW_DEMO}, (uint32_t)i);
    return rf_uniform_f64(b.word[0], b.word[1]);
}

/* ------------------------------------------------------------------ people */

static bool city(void *arg, int64_t row, char out[64])
{
    (void)arg;
    static const char *const names[] = {"Berlin", "Oslo", "S\xc3\xa3o Paulo", "Lima"};
    const double u = rig_uniform(101, row);
    if (u > 0.95)
        return false;
    snprintf(out, 64, "%s", names[u < 0.5 ? 0 : u < 0.8 ? 1 : u < 0.93 ? 2 : 3]);
    return true;
}

static bool smoker(void *arg, int64_t row, char out[64])
{
    (void)arg;
    snprintf(out, 64, "%s", rig_uniform(102, row) < 0.3 ? "True" : "False");
    return true;
}

static bool name(void *arg, int64_t row, char out[64])
{
    (void)arg;
    snprintf(out, 64, "P-%05d", (int)row + 1);
    return true;
}

static bool fixed(void *arg, int64_t row, char out[64])
{
    (void)arg;
    (void)row;
    snprintf(out, 64, "always");
    return true;
}

static bool nothing(void *arg, int64_t row, char out[64])
{
    (void)arg;
    (void)row;
    (void)out;
    return false;
}

rf_table *rig_people(int64_t n_rows)
{
    const rf_field fields[RIG_FIELDS] = {
        [RIG_AGE] = rig_field("age", RF_KIND_INTEGER),
        [RIG_INCOME] = rig_field("income", RF_KIND_CONTINUOUS),
        [RIG_BORN] = rig_field("born", RF_KIND_DATETIME),
        [RIG_CITY] = rig_field("city", RF_KIND_CATEGORICAL),
        [RIG_SMOKER] = rig_field("smoker", RF_KIND_BOOLEAN),
        [RIG_NAME] = rig_field("name", RF_KIND_ID),
        [RIG_SKIP] = rig_field("skip", RF_KIND_IGNORED),
        [RIG_FIXED] = rig_field("fixed", RF_KIND_CATEGORICAL),
        [RIG_VOID] = rig_field("void", RF_KIND_CATEGORICAL),
        [RIG_BONUS] = rig_field("bonus", RF_KIND_CONTINUOUS),
    };
    rf_table *table = rig_table(fields, RIG_FIELDS, n_rows);
    for (int64_t row = 0; row < n_rows; row++) {
        const double u = rig_uniform(103, row), v = rig_uniform(104, row);
        rig_number(table, RIG_AGE, row, 17.0 + floor(40.0 * (u + v)));
        rig_number(table, RIG_INCOME, row,
                   u < 0.2 ? NAN : rint(100.0 * (u < 0.6 ? 900.0 + 500.0 * v : 5000.0 * v)) / 100.0);
        rig_number(table, RIG_BORN, row, v < 0.1 ? NAN : 86400.0 * floor(20000.0 * u - 8000.0));
        rig_number(table, RIG_BONUS, row, u < 0.4 ? 250.0 : NAN);
    }
    rig_texts(table, RIG_CITY, city, NULL);
    rig_texts(table, RIG_SMOKER, smoker, NULL);
    rig_texts(table, RIG_NAME, name, NULL);
    rig_texts(table, RIG_SKIP, name, NULL);
    rig_texts(table, RIG_FIXED, fixed, NULL);
    rig_texts(table, RIG_VOID, nothing, NULL);
    return table;
}

bool rig_tables_equal(const rf_table *a, int64_t a_first, const rf_table *b, int64_t b_first, int64_t n_rows)
{
    if (a->schema.n_fields != b->schema.n_fields)
        return false;
    for (int32_t i = 0; i < a->schema.n_fields; i++) {
        for (int64_t row = 0; row < n_rows; row++) {
            if (a->columns[i].values) {
                const double x = a->columns[i].values[a_first + row], y = b->columns[i].values[b_first + row];
                if (memcmp(&x, &y, sizeof x) != 0 && !(isnan(x) && isnan(y)))
                    return false;
            } else if ((a->columns[i].codes[a_first + row] < 0) != (b->columns[i].codes[b_first + row] < 0) ||
                       strcmp(rig_text(a, i, a_first + row), rig_text(b, i, b_first + row)) != 0) {
                return false;
            }
        }
    }
    return true;
}
