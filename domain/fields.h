/* fields.h - one JSON object between two sides that distrust each other: strict getters, plain putters.
 *
 * Failure is sticky: ask for all fields, check once. Every field that is asked for is counted, so that rfi_fields_end
 * can refuse an object with one more than it should have. Private to domain/.
 */
#ifndef RF_DOMAIN_FIELDS_H
#define RF_DOMAIN_FIELDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/buf.h"
#include "core/error.h"

typedef struct rfi_fields {
    json_t *object;   /* lent                               */
    const char *what; /* "the plan", for messages           */
    rf_arena *arena;  /* where texts are copied to          */
    size_t used;      /* fields that were asked for         */
    rf_code rc;       /* of the first fault                 */
    rf_error *err;
} rfi_fields;

/* Parses one object of at most `most` bytes; *out is the caller's (json_decref). */
rf_code rfi_fields_parse(json_t **out, const char *what, const char *json, size_t most,
                         rf_error *err) RF_MUST_CHECK;

rfi_fields rfi_fields_begin(json_t *object, const char *what, rf_arena *arena, rf_error *err);
/* The first fault; MALFORMED too for a field that nobody asked for. */
rf_code rfi_fields_end(rfi_fields *fields) RF_MUST_CHECK;
void rfi_fields_fault(rfi_fields *fields, const char *name, const char *wanted);

json_t *rfi_field(rfi_fields *fields, const char *name); /* NULL and a fault when it is not there */
const char *rfi_field_text(rfi_fields *fields, const char *name, size_t most); /* never NULL */
const char *rfi_field_hex(rfi_fields *fields, const char *name);               /* a SHA-256 */
int64_t rfi_field_int(rfi_fields *fields, const char *name, int64_t low, int64_t high);
double rfi_field_real(rfi_fields *fields, const char *name); /* NaN for null */
bool rfi_field_flag(rfi_fields *fields, const char *name);
/* An object within; one without fields, and a fault, when it is none. */
rfi_fields rfi_field_object(rfi_fields *fields, const char *name);
/* Takes over the fault of an object within. */
void rfi_fields_join(rfi_fields *fields, rfi_fields *inner);
bool rfi_field_is_null(rfi_fields *fields, const char *name); /* asks, and counts it when it is null */

/* Sets a field, taking `value`; *failed when there is none: no memory, or a text that is no UTF-8. */
void rfi_put(json_t *object, const char *name, json_t *value, bool *failed);
/* Of a real: what reads back as the same bits, and what is without noise in its last digits, for people. */
enum { RFI_DIGITS_EXACT = 17, RFI_DIGITS_PLAIN = 15 };
/* Prints `object` and drops it; NO_MEMORY when it, or with `failed` a part of it, could not be made. */
rf_code rfi_fields_print(json_t *object, bool failed, const char *what, size_t most, int digits, rf_buf *out,
                         rf_error *err) RF_MUST_CHECK;
json_t *rfi_json_real(double value); /* null for what is not finite */
bool rfi_is_hex64(const char *text);

#endif
