/* schema.h - the shapes of JSON that come in and go out, as constant tables.
 *
 * One description serves three readers: rfi_schema_check refuses a body that does not fit and says for each field why,
 * rfi_schema_json writes it into /openapi.json (JSON Schema 2020-12), and people read it. Numbers whose range comes
 * from the settings name a bound instead of two numbers.
 *
 *     static const rfi_field fields[] = {{"email", &email, RFI_REQUIRED, "where mail reaches you"}, {0}};
 *     static const rfi_schema login = {.name = "Login", .type = RFI_OBJECT, .fields = fields};
 */
#ifndef RF_API_SCHEMA_H
#define RF_API_SCHEMA_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"

typedef enum rfi_type {
    RFI_ANY, /* any value */
    RFI_OBJECT,
    RFI_ARRAY,
    RFI_STRING,
    RFI_INTEGER,
    RFI_NUMBER,
    RFI_BOOLEAN,
    RFI_NULL,
    RFI_SCALAR, /* a text, a number or a flag */
    RFI_CHOICE, /* one of several objects, told apart by a text field */
} rfi_type;

/* Ranges that the settings decide. */
typedef enum rfi_bound {
    RFI_BOUND_NONE,
    RFI_BOUND_SAMPLE_SIZE,
    RFI_BOUND_EPOCHS,
    RFI_BOUND_COUNT,
} rfi_bound;

typedef struct rfi_range {
    double low, high;
} rfi_range;

/* Indexed by rfi_bound; the first is not used. */
typedef struct rfi_bounds {
    rfi_range range[RFI_BOUND_COUNT];
} rfi_bounds;

/* An absent field is one that this object does not have: rows made from a table that others share. */
enum { RFI_REQUIRED = 1, RFI_NULLABLE = 2, RFI_ABSENT = 4 };

typedef struct rfi_schema rfi_schema;

typedef struct rfi_field {
    const char *name;
    const rfi_schema *schema;
    unsigned flags;
    const char *help;     /* NULL: the schema's own */
    const char *fallback; /* the default, as JSON; NULL: none */
} rfi_field;

struct rfi_schema {
    const char *name; /* of a component that others refer to; NULL: written where it is used */
    rfi_type type;
    bool has_range;           /* low and high hold */
    double low, high;         /* of a number */
    rfi_bound bound;          /* or this */
    int64_t length_low;       /* characters of a string, items of an array */
    int64_t length_high;      /* 0: no limit */
    const char *format;       /* "email", "date-time": email is checked too */
    const char *const *words; /* the only texts allowed, up to NULL */
    const rfi_field *fields;  /* of an object, up to a zero row */
    bool is_open;             /* an object may have other fields, each as `items` (NULL: any) */
    const rfi_schema *items;
    const char *tag; /* of a choice: the field that decides */
    const rfi_schema *const
        *variants;              /* up to NULL; the tag's schema has one word. The first holds without a tag */
    const char *help, *example; /* the example is JSON */
};

/* Puts {"path": "why", …} of everything wrong with `value` into `faults` (at most 20) and returns how many there were.
 * Depth is bounded by the schema's own. `faults` stays empty when there is none. */
int rfi_schema_check(const rfi_schema *schema, const rfi_bounds *bounds, const json_t *value, rf_buf *faults);

/* The schema as JSON Schema: a reference when it has a name and `inside` is false. */
void rfi_schema_json(const rfi_schema *schema, const rfi_bounds *bounds, bool inside, rf_buf *out);

/* Calls visit for each named schema that `schema` reaches, itself included; may call more than once for one. */
typedef void rfi_schema_visit(void *arg, const rfi_schema *schema);
void rfi_schema_walk(const rfi_schema *schema, rfi_schema_visit *visit, void *arg);

/* The range that holds for a number; false when there is none. */
bool rfi_schema_range(const rfi_schema *schema, const rfi_bounds *bounds, rfi_range *out);

#endif
