#include "api/repeat.h"

#include <string.h>

#include "api/server_internal.h"
#include "core/log.h"
#include "crypto/digest.h"

rf_code rfi_repeat_key(rfi_call *call, const char *more, rf_idempotency *out, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_sha256 *hash = NULL;
    char *sum = NULL;
    *out = (rf_idempotency){.key = call->idempotency_key};
    if (!out->key)
        return RF_OK;
    RF_TRY(rf_sha256_open(&hash, err));
    rf_sha256_update(hash, call->method_text, strlen(call->method_text));
    rf_sha256_update(hash, "\n", 1);
    rf_sha256_update(hash, call->target, strlen(call->target));
    rf_sha256_update(hash, "\n", 1);
    if (more)
        rf_sha256_update(hash, more, strlen(more));
    else if (call->body.size_bytes > 0)
        rf_sha256_update(hash, call->body.data, call->body.size_bytes);
    sum = RF_ARENA_ARRAY(&call->arena, char, RF_SHA256_HEX_SIZE);
    RF_TRY(rf_arena_check(&call->arena, "the request", err));
    RF_TRY(rf_sha256_finish_hex(hash, sum, err));
    out->hash = sum;
out:
    rf_sha256_close(hash);
    return rc;
}

bool rfi_repeat_answer(rfi_call *call, const rf_receipt *receipt)
{
    rf_buf text;
    if (!receipt->repeated || receipt->status == 0)
        return false;
    rf_buf_init(&text);
    rf_buf_puts(&text, receipt->reply);
    rfi_reply_text(call, receipt->status, "application/json", &text);
    return true;
}

void rfi_repeat_keep(rfi_call *call, const rf_idempotency *key)
{
    rf_error err = {0};
    if (key->key && rf_scheduler_reply_store(call->server->scheduler, call->who.user_id, key,
                                             call->reply.status, call->reply.text.data, &err) != RF_OK)
        rf_log_failure(RF_LOG_WARNING, "api", &err);
}
