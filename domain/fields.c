#include "domain/fields.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { HEX64 = 64 };

bool rfi_is_hex64(const char *text)
{
    return text && strlen(text) == HEX64 && strspn(text, "0123456789abcdef") == HEX64;
}

/* ------------------------------------------------------------------ in */

rf_code rfi_fields_parse(json_t **out, const char *what, const char *json, size_t most, rf_error *err)
{
    json_error_t cause;
    *out = NULL;
    const size_t size = json ? strnlen(json, most + 1) : 0;
    if (size == 0)
        return rf_fail(err, RF_MALFORMED, "%s is empty", what);
    if (size > most)
        return rf_fail(err, RF_MALFORMED, "%s has more than %zu bytes", what, most);
    json_t *object = json_loadb(json, size, JSON_REJECT_DUPLICATES, &cause);
    if (!object && json_error_code(&cause) == json_error_out_of_memory)
        return rf_fail(err, RF_NO_MEMORY, "there is no memory for %s", what);
    if (!object)
        return rf_fail(err, RF_MALFORMED, "%s is not JSON: %s", what, cause.text);
    if (!json_is_object(object)) {
        json_decref(object);
        return rf_fail(err, RF_MALFORMED, "%s is not a JSON object", what);
    }
    *out = object;
    return RF_OK;
}

rfi_fields rfi_fields_begin(json_t *object, const char *what, rf_arena *arena, rf_error *err)
{
    return (rfi_fields){.object = object, .what = what, .arena = arena, .rc = RF_OK, .err = err};
}

void rfi_fields_fault(rfi_fields *fields, const char *name, const char *wanted)
{
    if (fields->rc == RF_OK)
        fields->rc = rf_fail(fields->err, RF_MALFORMED, "%s: %s must be %s", fields->what, name, wanted);
}

void rfi_fields_join(rfi_fields *fields, rfi_fields *inner)
{
    if (fields->rc == RF_OK)
        fields->rc = rfi_fields_end(inner);
}

rf_code rfi_fields_end(rfi_fields *fields)
{
    if (fields->rc != RF_OK)
        return fields->rc;
    if (json_object_size(fields->object) > fields->used)
        fields->rc = rf_fail(fields->err, RF_MALFORMED, "%s has a field that is not known", fields->what);
    else
        fields->rc = rf_arena_check(fields->arena, fields->what, fields->err);
    return fields->rc;
}

json_t *rfi_field(rfi_fields *fields, const char *name)
{
    json_t *value = json_object_get(fields->object, name);
    if (!value)
        rfi_fields_fault(fields, name, "there");
    fields->used++;
    return value;
}

bool rfi_field_is_null(rfi_fields *fields, const char *name)
{
    const bool null = json_is_null(json_object_get(fields->object, name));
    fields->used += null;
    return null;
}

/* Texts of JSON may hold a NUL; ours never do. */
const char *rfi_field_text(rfi_fields *fields, const char *name, size_t most)
{
    json_t *value = rfi_field(fields, name);
    const size_t length = json_string_length(value);
    if (!json_is_string(value) || length > most || strlen(json_string_value(value)) != length) {
        rfi_fields_fault(fields, name, "a text that is not too long");
        return "";
    }
    const char *copy = rf_arena_string(fields->arena, json_string_value(value), length);
    if (!copy && fields->rc == RF_OK)
        fields->rc = rf_arena_check(fields->arena, fields->what, fields->err);
    return copy ? copy : "";
}

const char *rfi_field_hex(rfi_fields *fields, const char *name)
{
    const char *text = rfi_field_text(fields, name, HEX64);
    if (!rfi_is_hex64(text))
        rfi_fields_fault(fields, name, "the 64 digits of a SHA-256");
    return text;
}

int64_t rfi_field_int(rfi_fields *fields, const char *name, int64_t low, int64_t high)
{
    json_t *value = rfi_field(fields, name);
    const int64_t number = json_integer_value(value);
    if (json_is_integer(value) && number >= low && number <= high)
        return number;
    rfi_fields_fault(fields, name, "a whole number in its range");
    return low;
}

double rfi_field_real(rfi_fields *fields, const char *name)
{
    json_t *value = rfi_field(fields, name);
    if (json_is_number(value))
        return json_number_value(value);
    if (!json_is_null(value))
        rfi_fields_fault(fields, name, "a number or null");
    return (double)NAN;
}

bool rfi_field_flag(rfi_fields *fields, const char *name)
{
    json_t *value = rfi_field(fields, name);
    if (!json_is_boolean(value))
        rfi_fields_fault(fields, name, "true or false");
    return json_is_true(value);
}

rfi_fields rfi_field_object(rfi_fields *fields, const char *name)
{
    json_t *value = rfi_field(fields, name);
    rfi_fields inner = rfi_fields_begin(value, name, fields->arena, fields->err);
    if (!json_is_object(value))
        rfi_fields_fault(fields, name, "an object");
    inner.rc = fields->rc;
    return inner;
}

/* ------------------------------------------------------------------ out */

json_t *rfi_json_real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

void rfi_put(json_t *object, const char *name, json_t *value, bool *failed)
{
    if (json_object_set_new(object, name, value) != 0)
        *failed = true;
}

/* jansson's own allocation, so jansson's own free: the default, as nobody sets another. */
rf_code rfi_fields_print(json_t *object, bool failed, const char *what, size_t most, int digits, rf_buf *out,
                         rf_error *err)
{
    char *text =
        object && !failed ? json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION((size_t)digits)) : NULL;
    json_decref(object);
    if (!text)
        return rf_fail(err, RF_NO_MEMORY, "%s could not be written: no memory, or a text that is not UTF-8",
                       what);
    const size_t size = strlen(text);
    const bool fits = size <= most;
    if (fits)
        rf_buf_append(out, text, size);
    free(text);
    if (!fits)
        return rf_fail(err, RF_USAGE, "%s would have more than %zu bytes", what, most);
    return rf_buf_check(out, what, err);
}
