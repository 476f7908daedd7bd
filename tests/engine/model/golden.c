#include "golden.h"

#include "rf_test.h"

void golden_open(golden *out, const char *file)
{
    char path[512];
    snprintf(path, sizeof path, "%s/reference/%s", RF_TEST_DATA, file);
    FILE *in = fopen(path, "r");
    if (!in)
        fail_msg("%s cannot be read", path);
    *out = (golden){0};
    golden_array *array = out->arrays;
    while (fscanf(in, "%47s %d", array->name, &array->n) == 2) {
        array->values = calloc((size_t)array->n + 1, sizeof *array->values);
        for (int i = 0; i < array->n; i++)
            assert_int_equal(fscanf(in, "%lf", &array->values[i]), 1);
        out->n++;
        array++;
    }
    fclose(in);
}

void golden_close(golden *g)
{
    for (int i = 0; i < g->n; i++)
        free(g->arrays[i].values);
}

const golden_array *golden_find(const golden *g, const char *name)
{
    for (int i = 0; i < g->n; i++)
        if (strcmp(g->arrays[i].name, name) == 0)
            return &g->arrays[i];
    fail_msg("the golden file has no %s", name);
    return NULL;
}

static void read_spans(golden_table *out, const golden *g)
{
    const golden_array *spans = golden_find(g, "spans");
    out->layout.n_spans = spans->n / 6;
    for (int s = 0; s < out->layout.n_spans; s++) {
        const double *v = spans->values + (ptrdiff_t)6 * s;
        out->spans[s] = (rf_span){.kind = (int32_t)v[0],
                                  .offset = (int32_t)v[1],
                                  .width = (int32_t)v[2],
                                  .source = (int32_t)v[3],
                                  .condition = (int32_t)v[4],
                                  .cond_offset = (int32_t)v[5]};
        const rf_span *span = &out->spans[s];
        out->layout.width += span->width;
        out->layout.n_scalars += span->kind == RF_SPAN_SCALAR;
        out->layout.n_codes += span->kind == RF_SPAN_CODE;
        out->layout.n_conditions += span->condition >= 0;
        out->layout.condition_width += span->condition >= 0 ? span->width : 0;
    }
    out->layout.spans = out->spans;
}

static void count_conditions(golden_table *out)
{
    for (int s = 0; s < out->layout.n_spans; s++) {
        const rf_span *span = &out->spans[s];
        for (int64_t r = 0; span->condition >= 0 && r < out->rows.n_rows; r++)
            out->counts[span->cond_offset + out->rows.codes[r * out->layout.n_codes + span->source]]++;
    }
}

void golden_table_open(golden_table *out, const golden *g)
{
    const golden_array *scalars = golden_find(g, "scalars"), *codes = golden_find(g, "codes");
    *out = (golden_table){0};
    read_spans(out, g);
    out->rows.n_rows = codes->n / out->layout.n_codes;
    out->rows.scalars = calloc((size_t)scalars->n + 1, sizeof *out->rows.scalars);
    out->rows.codes = calloc((size_t)codes->n + 1, sizeof *out->rows.codes);
    for (int i = 0; i < scalars->n; i++)
        out->rows.scalars[i] = (float)scalars->values[i];
    for (int i = 0; i < codes->n; i++)
        out->rows.codes[i] = (uint16_t)codes->values[i];
    count_conditions(out);
}

void golden_table_close(golden_table *table)
{
    free(table->rows.scalars);
    free(table->rows.codes);
}
