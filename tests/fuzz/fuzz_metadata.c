/* fuzz_metadata.c - any bytes as metadata: a table or a sentence, never a crash. */
#include <string.h>

#include "engine/table/datetime.h"
#include "engine/table/metadata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_formats(const rf_metadata *metadata)
{
    for (int32_t i = 0; i < metadata->n_columns; i++) {
        const char *const format = metadata->columns[i].datetime_format;
        char text[64];
        double value;
        int32_t offset_s;
        if (format == NULL)
            continue;
        const size_t length = rf_datetime_format(text, sizeof text, 1e9, format, 3600);
        rf_datetime_parse(text, length, format, &value, &offset_s);
        rf_datetime_unit_s(format);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rf_arena arena;
    rf_notes notes;
    rf_metadata metadata;
    rf_error err = {0};
    rf_arena_init(&arena);
    rf_notes_init(&notes);
    const rf_code rc = rf_metadata_parse(&metadata, &arena, "fuzz", (const char *)data, size, &notes, &err);
    if (rc == RF_OK)
        try_formats(&metadata);
    else if (err.message[0] == '\0')
        __builtin_trap(); /* a failure without a sentence */
    rf_notes_free(&notes);
    rf_arena_free(&arena);
    return 0;
}
