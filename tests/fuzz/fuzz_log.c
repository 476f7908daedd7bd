/* fuzz_log.c - any texts in a log line: one line, not too long, one JSON object. */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "core/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { N_TEXTS = 12 };

/* Cuts the input at its line breaks; texts that are missing are empty. */
static void cut(char *text, const char *out[N_TEXTS])
{
    for (int i = 0; i < N_TEXTS; i++) {
        out[i] = text;
        text += strcspn(text, "\n");
        if (*text)
            *text++ = 0;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *texts[N_TEXTS];
    char *copy = malloc(size + 1);
    memcpy(copy, data, size);
    copy[size] = 0;
    cut(copy, texts);
    rf_log_pair pairs[4];
    for (int i = 0; i < 4; i++)
        pairs[i] = RF_LOG_TEXT(texts[4 + 2 * i], texts[5 + 2 * i]);
    char line[RF_LOG_LINE_MAX];
    const rf_log_event event = {.module = texts[0],
                                .request_id = texts[1],
                                .message = texts[2],
                                .user_id = (int64_t)size,
                                .metadata = pairs,
                                .n_metadata = 4};
    const size_t length = rf_log_format(line, &event, 0);
    json_t *document = json_loadb(line, length, 0, NULL);
    if (length > sizeof line || memchr(line, '\n', length) != line + length - 1 || !json_is_object(document))
        __builtin_trap();
    json_decref(document);
    free(copy);
    return 0;
}
