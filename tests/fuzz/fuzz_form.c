/* fuzz_form.c - any bytes as a multipart body: the same file or the same refusal, in whatever pieces they come. */
#include <string.h>

#include "api/call.h"
#include "api/form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static rf_code begin(rfi_call *call, const char *name, rf_error *err)
{
    rf_buf_append(&call->body, name, strlen(name) + 1);
    (void)err;
    return RF_OK;
}

static rf_code take(rfi_call *call, const char *bytes, size_t size_bytes, rf_error *err)
{
    rf_buf_append(&call->body, bytes, size_bytes);
    (void)err;
    return RF_OK;
}

static const rfi_sink sink = {begin, take, NULL};
static const rfi_route route = {.path = "/", .body = RFI_BODY_MULTIPART, .sink = &sink};

static rf_code read_form(rf_buf *out, const char *data, size_t size, size_t piece)
{
    rf_code rc = RF_OK;
    rf_error err = {0};
    rfi_call call = {.route = &route};
    rfi_form *form = NULL;
    rf_buf_init(&call.body);
    RF_TRY(rfi_form_open(&form, "multipart/form-data; boundary=ab", &call, &err));
    for (size_t at = 0; at < size; at += piece)
        RF_TRY(rfi_form_feed(form, data + at, size - at < piece ? size - at : piece, &err));
    RF_TRY(rfi_form_finish(form, &err));
out:
    rfi_form_free(form);
    *out = call.body;
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rf_buf whole, pieces;
    if (size < 1)
        return 0;
    const rf_code a = read_form(&whole, (const char *)data + 1, size - 1, size);
    const rf_code b = read_form(&pieces, (const char *)data + 1, size - 1, 1 + data[0] % 16);
    if (a != b || (a == RF_OK && (whole.size_bytes != pieces.size_bytes ||
                                  memcmp(whole.data, pieces.data, whole.size_bytes) != 0)))
        __builtin_trap();
    rf_buf_free(&whole);
    rf_buf_free(&pieces);
    return 0;
}
