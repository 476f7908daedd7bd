#include "api/schema.h"

#include <math.h>
#include <string.h>

#include "api/json_text.h"
#include "core/text.h"

enum { FAULTS_MAX = 20, PATH_BYTES = 160 };

typedef struct check {
    const rfi_bounds *bounds;
    rf_buf *faults;
    int n_faults;
    char path[PATH_BYTES];
} check;

static void check_value(check *c, const rfi_schema *schema, const json_t *value);

/* ---- faults ----------------------------------------------------------------------------------- */

static void fault(check *c, const char *why)
{
    if (c->n_faults++ >= FAULTS_MAX)
        return;
    if (c->n_faults == 1)
        rfi_json_open(c->faults, '{');
    rfi_json_put_text(c->faults, c->path[0] ? c->path : "body", why);
}

RF_PRINTF(2, 3)
static void fault_f(check *c, const char *format, ...)
{
    char text[200];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fault(c, text);
}

/* Runs a check one step deeper in the path ("model_config.epochs", "dims[2]") and comes back. A name that came from
 * outside is cut to what is worth showing. */
static size_t path_push(check *c, const char *format, const char *name, size_t index)
{
    const size_t length = strlen(c->path);
    if (name)
        snprintf(c->path + length, sizeof c->path - length, format, length ? "." : "", name);
    else
        snprintf(c->path + length, sizeof c->path - length, "[%zu]", index);
    return length;
}

/* ---- one type each ---------------------------------------------------------------------------- */

bool rfi_schema_range(const rfi_schema *schema, const rfi_bounds *bounds, rfi_range *out)
{
    if (schema->bound != RFI_BOUND_NONE) {
        *out = bounds->range[schema->bound];
        return true;
    }
    *out = (rfi_range){schema->low, schema->high};
    return schema->has_range;
}

static void check_number(check *c, const rfi_schema *schema, const json_t *value)
{
    const double number = json_number_value(value);
    rfi_range range;
    char low[RF_NUMBER_TEXT_MAX], high[RF_NUMBER_TEXT_MAX];
    const bool whole = json_is_integer(value) || (json_is_real(value) && number == floor(number));
    if (!json_is_number(value) || (schema->type == RFI_INTEGER && !whole)) {
        fault(c, schema->type == RFI_INTEGER ? "must be a whole number" : "must be a number");
        return;
    }
    if (!rfi_schema_range(schema, c->bounds, &range) || (number >= range.low && number <= range.high))
        return;
    rf_format_f64(low, range.low);
    rf_format_f64(high, range.high);
    fault_f(c, "must be from %s to %s", low, high);
}

static int64_t count_characters(const char *text, size_t length)
{
    int64_t n = 0;
    for (size_t i = 0; i < length; i++)
        n += ((unsigned char)text[i] & 0xC0) != 0x80;
    return n;
}

/* One @ with something before it and a host with no blank behind it; whether mail arrives, only mail can tell. */
static bool looks_like_email(const char *text)
{
    const char *at = strchr(text, '@');
    if (!at || at == text || !at[1] || strchr(at + 1, '@') || at[1] == '.' || text[strlen(text) - 1] == '.')
        return false;
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p <= ' ' || *p == 0x7F)
            return false;
    return true;
}

static void list_words(check *c, const char *const *words)
{
    char text[160] = "";
    for (; *words; words++) {
        const size_t length = strlen(text);
        snprintf(text + length, sizeof text - length, "%s%s", length ? ", " : "", *words);
    }
    fault_f(c, "must be one of %s", text);
}

static void check_string(check *c, const rfi_schema *schema, const json_t *value)
{
    if (!json_is_string(value)) {
        fault(c, "must be a text");
        return;
    }
    const char *text = json_string_value(value);
    const size_t length = json_string_length(value);
    const int64_t n = count_characters(text, length);
    if (strlen(text) != length)
        fault(c, "must not hold the character U+0000");
    else if (n < schema->length_low)
        fault_f(c, n == 0 ? "must not be empty" : "must have at least %lld characters",
                (long long)schema->length_low);
    else if (schema->length_high && n > schema->length_high)
        fault_f(c, "must have at most %lld characters", (long long)schema->length_high);
    else if (schema->format && strcmp(schema->format, "email") == 0 && !looks_like_email(text))
        fault(c, "must be an e-mail address");
    else if (schema->words) {
        for (const char *const *word = schema->words; *word; word++)
            if (strcmp(*word, text) == 0)
                return;
        list_words(c, schema->words);
    }
}

static void check_array(check *c, const rfi_schema *schema, const json_t *value)
{
    if (!json_is_array(value)) {
        fault(c, "must be a list");
        return;
    }
    const size_t n = json_array_size(value);
    if ((int64_t)n < schema->length_low) {
        fault_f(c, "must have at least %lld items", (long long)schema->length_low);
        return;
    }
    if (schema->length_high && (int64_t)n > schema->length_high) {
        fault_f(c, "must have at most %lld items", (long long)schema->length_high);
        return;
    }
    for (size_t i = 0; schema->items && i < n && c->n_faults < FAULTS_MAX; i++) {
        const size_t back = path_push(c, NULL, NULL, i);
        check_value(c, schema->items, json_array_get(value, i));
        c->path[back] = 0;
    }
}

static const rfi_field *find_field(const rfi_schema *schema, const char *name)
{
    for (const rfi_field *field = schema->fields; field && field->name; field++)
        if (!(field->flags & RFI_ABSENT) && strcmp(field->name, name) == 0)
            return field;
    return NULL;
}

static void fault_unknown(check *c, const rfi_schema *schema, const char *name)
{
    enum { NAMES_MAX = 64 };
    const char *names[NAMES_MAX];
    int n = 0;
    for (const rfi_field *field = schema->fields; field && field->name && n < NAMES_MAX; field++)
        if (!(field->flags & RFI_ABSENT))
            names[n++] = field->name;
    const bool is_worth_it = c->n_faults < FAULTS_MAX && strlen(name) <= NAMES_MAX;
    const char *const near = is_worth_it ? rf_text_nearest(name, names, n) : NULL;
    if (near)
        fault_f(c, "is not known here; did you mean %s?", near);
    else
        fault(c, "is not known here");
}

static void check_member(check *c, const rfi_schema *schema, const char *name, const json_t *value)
{
    const rfi_field *field = find_field(schema, name);
    const size_t back = path_push(c, "%s%.60s", name, 0);
    if (field && json_is_null(value) && (field->flags & RFI_NULLABLE))
        ;
    else if (field)
        check_value(c, field->schema, value);
    else if (!schema->is_open)
        fault_unknown(c, schema, name);
    else if (schema->items)
        check_value(c, schema->items, value);
    c->path[back] = 0;
}

static void check_object(check *c, const rfi_schema *schema, const json_t *value)
{
    const char *name;
    json_t *member;
    if (!json_is_object(value)) {
        fault(c, "must be an object");
        return;
    }
    if (schema->length_high && (int64_t)json_object_size(value) > schema->length_high) {
        fault_f(c, "must have at most %lld fields", (long long)schema->length_high);
        return;
    }
    for (const rfi_field *field = schema->fields; field && field->name; field++)
        if ((field->flags & RFI_REQUIRED) && !json_object_get(value, field->name)) {
            const size_t back = path_push(c, "%s%s", field->name, 0);
            fault(c, "is required");
            c->path[back] = 0;
        }
    json_object_foreach((json_t *)value, name, member)
    {
        if (c->n_faults >= FAULTS_MAX)
            break;
        check_member(c, schema, name, member);
    }
}

static void check_choice(check *c, const rfi_schema *schema, const json_t *value)
{
    const json_t *tag = json_object_get(value, schema->tag);
    const rfi_schema *chosen = tag ? NULL : schema->variants[0];
    char names[120] = "";
    if (!json_is_object(value)) {
        fault(c, "must be an object");
        return;
    }
    for (const rfi_schema *const *variant = schema->variants; !chosen && *variant; variant++) {
        const char *word = find_field(*variant, schema->tag)->schema->words[0];
        const size_t length = strlen(names);
        if (json_is_string(tag) && strcmp(word, json_string_value(tag)) == 0)
            chosen = *variant;
        snprintf(names + length, sizeof names - length, "%s%s", length ? ", " : "", word);
    }
    if (chosen) {
        check_object(c, chosen, value);
        return;
    }
    const size_t back = path_push(c, "%s%s", schema->tag, 0);
    fault_f(c, "must be one of %s", names);
    c->path[back] = 0;
}

static void check_value(check *c, const rfi_schema *schema, const json_t *value)
{
    switch (schema->type) {
    case RFI_ANY:
        break;
    case RFI_OBJECT:
        check_object(c, schema, value);
        break;
    case RFI_ARRAY:
        check_array(c, schema, value);
        break;
    case RFI_STRING:
        check_string(c, schema, value);
        break;
    case RFI_INTEGER:
    case RFI_NUMBER:
        check_number(c, schema, value);
        break;
    case RFI_BOOLEAN:
        if (!json_is_boolean(value))
            fault(c, "must be true or false");
        break;
    case RFI_NULL:
        if (!json_is_null(value))
            fault(c, "must be null");
        break;
    case RFI_SCALAR:
        if (json_is_object(value) || json_is_array(value) || json_is_null(value))
            fault(c, "must be a text, a number, true or false");
        break;
    case RFI_CHOICE:
        check_choice(c, schema, value);
        break;
    }
}

int rfi_schema_check(const rfi_schema *schema, const rfi_bounds *bounds, const json_t *value, rf_buf *faults)
{
    check c = {.bounds = bounds, .faults = faults};
    check_value(&c, schema, value);
    if (c.n_faults > 0)
        rfi_json_close(faults, '}');
    return c.n_faults;
}
