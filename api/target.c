/* The target of a request, "/path?query", read once and strictly.
 *
 * Each escape is decoded exactly once. What could mean one thing here and another thing elsewhere is refused and not
 * repaired: %00, %2F, %5C, blanks, control characters, "." and ".." as parts, bytes that are not UTF-8.
 */
#include <string.h>

#include "api/json_text.h"
#include "api/server_internal.h"
#include "core/text.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Decodes [text, text+length) into `out`, which has room for it. -1 when an escape is none or gives a control byte. */
static int64_t decode(char *out, const char *text, size_t length, bool plus_is_blank)
{
    size_t n = 0;
    for (size_t i = 0; i < length; i++) {
        int byte = (unsigned char)text[i];
        if (byte == '+' && plus_is_blank)
            byte = ' ';
        if (byte == '%') {
            if (length - i < 3)
                return -1;
            const int a = hex_digit(text[i + 1]), b = hex_digit(text[i + 2]);
            if (a < 0 || b < 0)
                return -1;
            byte = a * 16 + b;
            i += 2;
        }
        if (byte < 0x20 || byte == 0x7F)
            return -1;
        out[n++] = (char)byte;
    }
    out[n] = 0;
    return (int64_t)n;
}

static bool has_dot_part(const char *path)
{
    for (const char *at = path; at; at = strchr(at, '/')) {
        at++;
        const size_t length = strcspn(at, "/");
        if ((length == 1 && at[0] == '.') || (length == 2 && at[0] == '.' && at[1] == '.'))
            return true;
    }
    return false;
}

/* An escaped slash or backslash would be a part's text here and a separator in a proxy or a file system. */
static bool has_hidden_slash(const char *text, size_t length)
{
    for (size_t i = 0; i + 2 < length; i++)
        if (text[i] == '%' && ((text[i + 1] == '2' && (text[i + 2] | 0x20) == 'f') ||
                               (text[i + 1] == '5' && (text[i + 2] | 0x20) == 'c')))
            return true;
    return memchr(text, '\\', length) != NULL;
}

rf_code rfi_target_read(rfi_call *call, rf_error *err)
{
    const char *target = call->target;
    const size_t length = strcspn(target, "?#");
    call->path = RF_ARENA_ARRAY(&call->arena, char, length + 1);
    if (!call->path)
        return rf_fail(err, RF_NO_MEMORY, "there is no memory for the request");
    call->query = target[length] == '?' ? target + length + 1 : NULL;
    if (target[0] != '/' || target[length] == '#' || strchr(target, ' ') || has_hidden_slash(target, length))
        return rf_fail(err, RF_MALFORMED, "the path of the request cannot be read");
    const int64_t n = decode(call->path, target, length, false);
    if (n < 0 || rf_utf8_find_invalid(call->path, (size_t)n) >= 0 || has_dot_part(call->path))
        return rf_fail(err, RF_MALFORMED, "the path of the request cannot be read");
    return RF_OK;
}

/* ---- query ------------------------------------------------------------------------------------ */

static const rfi_query *find_parameter(const rfi_route *route, const char *name)
{
    for (const rfi_query *row = route->query; row && row->name; row++)
        if (strcmp(row->name, name) == 0)
            return row;
    return NULL;
}

/* A parameter is text on the wire; its schema says what it must read as. */
static json_t *as_json(const rfi_schema *schema, const char *text)
{
    int64_t number;
    if (schema->type == RFI_INTEGER && rf_parse_i64(text, strlen(text), &number) && *text != '+')
        return json_integer(number);
    if (schema->type == RFI_BOOLEAN && (strcmp(text, "0") == 0 || strcmp(text, "false") == 0))
        return json_false();
    if (schema->type == RFI_BOOLEAN && (strcmp(text, "1") == 0 || strcmp(text, "true") == 0))
        return json_true();
    return json_string(text);
}

static rfi_pair *find_pair(rfi_call *call, const char *name)
{
    for (int i = 0; i < call->n_pairs; i++)
        if (strcmp(call->pairs[i].name, name) == 0)
            return &call->pairs[i];
    return NULL;
}

/* Why the value does not fit; NULL when it does. */
static const char *find_fault(rfi_call *call, const rfi_schema *schema, const char *value)
{
    rf_buf why;
    rf_buf_init(&why);
    json_t *json = as_json(schema, value);
    const char *sentence = NULL;
    if (rfi_schema_check(schema, &call->server->bounds, json, &why) > 0) {
        json_t *faults = why.size_bytes ? json_loadb(why.data, why.size_bytes, 0, NULL) : NULL;
        const char *told = json_string_value(json_object_get(faults, "body"));
        sentence = rfi_call_text(call, "%s", told ? told : "does not fit");
        json_decref(faults);
    }
    json_decref(json);
    rf_buf_free(&why);
    return sentence;
}

/* True when something is wrong with it, which is told now or was told before. */
static bool check_parameter(rfi_call *call, const char *name, const char *value, rf_buf *faults,
                            int *n_faults)
{
    const rfi_query *row = find_parameter(call->route, name);
    rfi_pair *before = find_pair(call, name);
    const char *sentence = !row     ? "is not known here"
                           : before ? "is there twice"
                                    : find_fault(call, row->schema, value);
    if (!sentence || (before && before->is_told))
        return sentence != NULL;
    if ((*n_faults)++ == 0)
        rfi_json_open(faults, '{');
    rfi_json_put_text(faults, name, sentence);
    if (before)
        before->is_told = true;
    return true;
}

static rf_code read_pair(rfi_call *call, const char *at, size_t length, rf_buf *faults, int *n_faults,
                         rf_error *err)
{
    const char *equals = memchr(at, '=', length);
    const size_t name_length = equals ? (size_t)(equals - at) : length;
    char *name = RF_ARENA_ARRAY(&call->arena, char, name_length + 1);
    char *value = RF_ARENA_ARRAY(&call->arena, char, length + 1);
    if (!name || !value)
        return rf_fail(err, RF_NO_MEMORY, "there is no memory for the request");
    const int64_t n = decode(name, at, name_length, true);
    const int64_t m = equals ? decode(value, equals + 1, length - name_length - 1, true) : 0;
    if (n < 0 || m < 0 || rf_utf8_find_invalid(name, (size_t)n) >= 0 ||
        rf_utf8_find_invalid(value, (size_t)m) >= 0)
        return rf_fail(err, RF_MALFORMED, "the query of the request cannot be read");
    const bool is_told = check_parameter(call, name, value, faults, n_faults);
    if (call->n_pairs < RFI_QUERY_MAX)
        call->pairs[call->n_pairs++] = (rfi_pair){name, value, is_told};
    return RF_OK;
}

rf_code rfi_query_read(rfi_call *call, rf_buf *faults, int *n_faults, rf_error *err)
{
    rf_code rc = RF_OK;
    *n_faults = 0;
    const char *end = call->query ? call->query + strcspn(call->query, "#") : NULL;
    int n = 0;
    for (const char *at = call->query; at && at < end; n++) {
        const size_t length = strcspn(at, "&#");
        if (n >= RFI_QUERY_MAX)
            return rf_fail(err, RF_MALFORMED, "the query has more parameters than are read");
        if (length > 0)
            RF_TRY(read_pair(call, at, length, faults, n_faults, err));
        at += length + (at[length] == '&');
    }
out:
    if (*n_faults > 0)
        rfi_json_close(faults, '}');
    return rc;
}
