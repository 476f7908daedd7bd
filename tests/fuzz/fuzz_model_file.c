/* fuzz_model_file.c - any bytes as a model file: a model that gives rows, or a sentence, never a crash.
 *
 * Checksums would keep the fuzzer out, so they are made right first: what is tried is a file whose bytes lie,
 * not one that was damaged on the way. */
#include <stdlib.h>
#include <string.h>

#include "core/crc32c.h"
#include "engine/container.h"
#include "engine/fitted.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put(char *at, uint64_t value, int n_bytes)
{
    for (int i = 0; i < n_bytes; i++)
        at[i] = (char)(value >> (8 * i));
}

static uint64_t get(const char *at, int n_bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < n_bytes; i++)
        value |= (uint64_t)(uint8_t)at[i] << (8 * i);
    return value;
}

/* Header and sections as rfi_container_open wants them; a section that reaches past the end is cut to it. */
static void mend(char *bytes, size_t size)
{
    size_t at = RFI_CONTAINER_HEADER_BYTES;
    uint32_t n = 0;
    memcpy(bytes, "\x89RFM\r\n\x1a\n", 8);
    for (; n < RFI_SECTIONS_MAX && size - at >= RFI_SECTION_HEADER_BYTES; n++) {
        const size_t most = size - at - RFI_SECTION_HEADER_BYTES;
        const uint64_t length = get(bytes + at + 8, 8);
        const size_t own = n + 1 < RFI_SECTIONS_MAX && length < most ? (size_t)length : most;
        put(bytes + at + 8, own, 8);
        const uint32_t crc = rf_crc32c(rf_crc32c(0, bytes + at, 4), bytes + at + 8, 8 + own);
        put(bytes + at + 4, crc, 4);
        at += RFI_SECTION_HEADER_BYTES + own;
    }
    put(bytes + 8, RFI_CONTAINER_VERSION, 4);
    put(bytes + 12, n, 4);
    put(bytes + 16, at, 8);
    put(bytes + 28, rf_crc32c(0, bytes, 28), 4);
}

static rf_code ignore_rows(void *arg, const rf_table *rows, rf_error *err)
{
    (void)arg;
    (void)rows;
    (void)err;
    return RF_OK;
}

/* A model that was accepted must be able to make rows and to be written again. */
static void use(rf_fitted *fitted)
{
    rf_error err = {0};
    rf_buf bytes;
    const rf_sample_options options = {.n_rows = 3, .seed = 1};
    rf_fitted_info info;
    rf_fitted_describe(fitted, &info);
    if (info.params.batch_size <= 64 &&
        rf_fitted_sample(fitted, &options, ignore_rows, NULL, &err) != RF_OK && !err.message[0])
        __builtin_trap();
    rf_buf_init(&bytes);
    if (rfi_model_file_format(fitted, &bytes, &err) != RF_OK)
        __builtin_trap();
    rf_buf_free(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static rf_device *device;
    rf_error err = {0};
    rf_fitted *fitted = NULL;
    if (!device && rf_device_open(&device, "cpu", 1, &err) != RF_OK)
        abort();
    char *bytes = malloc(size + RFI_CONTAINER_HEADER_BYTES);
    if (!bytes)
        return 0;
    memcpy(bytes, data, size);
    /* As it is, and mended. */
    rf_code rc = rfi_model_file_parse(&fitted, "fuzz", bytes, size, device, &err);
    if (rc == RF_OK)
        use(fitted);
    rf_fitted_free(fitted);
    fitted = NULL;
    if (size >= RFI_CONTAINER_HEADER_BYTES) {
        memset(&err, 0, sizeof err);
        mend(bytes, size);
        rc = rfi_model_file_parse(&fitted, "fuzz", bytes, size, device, &err);
        if (rc == RF_OK)
            use(fitted);
        else if (!err.message[0])
            __builtin_trap(); /* a failure without a sentence */
        rf_fitted_free(fitted);
    }
    free(bytes);
    return 0;
}
