/* fuzz_transform.c - any bytes as a stored transform: what is accepted can be stored again, inverted and asked. */
#include <stdio.h>
#include <string.h>

#include "core/buf.h"
#include "engine/transform/transform.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROWS = 5, FIELDS = 16 };

/* Every code of a span, the last one too, and scalars beyond the range. */
static void fill_rows(rf_coded *coded, const rf_layout *layout)
{
    for (int32_t i = 0; i < ROWS * layout->n_scalars; i++)
        coded->scalars[i] = (float)(i % 5) - 2.0f;
    for (int32_t s = 0; s < layout->n_spans; s++) {
        const rf_span *span = &layout->spans[s];
        for (int32_t row = 0; span->kind == RF_SPAN_CODE && row < ROWS; row++)
            coded->codes[row * layout->n_codes + span->source] =
                (uint16_t)(row == 0 ? span->width - 1 : row % span->width);
    }
}

static void invert(const rf_transform *transform)
{
    const rf_layout *layout = rf_transform_layout(transform);
    rf_error err = {0};
    rf_coded coded;
    rf_table *table = NULL;
    if (rf_coded_create(&coded, layout, ROWS, &err) != RF_OK)
        return;
    fill_rows(&coded, layout);
    if (rf_transform_invert(transform, &coded, INT64_C(1) << 40, 7, NULL, &table, &err) == RF_OK) {
        const rf_schema *schema = rf_transform_schema(transform);
        for (int32_t i = 0; i < schema->n_fields && i < FIELDS; i++) {
            rf_condition condition;
            char wish[256];
            snprintf(wish, sizeof wish, "%s=%s", schema->fields[i].label, i % 2 ? "" : "1");
            if (rf_transform_condition(transform, wish, &condition, &err) == RF_OK)
                rf_condition_holds(transform, &condition, table, 0);
        }
    }
    rf_table_free(table);
    rf_coded_free(&coded);
}

static void store_again(const rf_transform *transform)
{
    rf_error err = {0};
    rf_buf bytes;
    rf_reader reader;
    rf_transform *again = NULL;
    rf_buf_init(&bytes);
    rf_transform_store(transform, &bytes);
    rf_reader_init(&reader, bytes.data, bytes.size_bytes);
    if (!bytes.failed && rf_transform_load(&again, &reader, &err) == RF_CORRUPT)
        __builtin_trap(); /* accepted once, refused the second time */
    rf_transform_free(again);
    rf_buf_free(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rf_error err = {0};
    rf_reader reader;
    rf_transform *transform = NULL;
    rf_reader_init(&reader, data, size);
    const rf_code rc = rf_transform_load(&transform, &reader, &err);
    if (rc == RF_OK) {
        invert(transform);
        store_again(transform);
    } else if (err.message[0] == '\0') {
        __builtin_trap(); /* a failure without a sentence */
    }
    rf_transform_free(transform);
    return 0;
}
