/* kind.h - the kinds of column, as people name them in options, metadata and the model file. */
#ifndef RF_DOMAIN_KIND_H
#define RF_DOMAIN_KIND_H

/* name in the program, name for people, how its cells are held, what it is */
#define RF_KIND_TABLE(X)                                                                   \
    X(INTEGER, "integer", VALUES, "whole numbers")                                         \
    X(CONTINUOUS, "continuous", VALUES, "numbers with a fraction")                         \
    X(BOOLEAN, "boolean", CODES, "two states, written as the table writes them")           \
    X(DATETIME, "datetime", VALUES, "dates and times, in the column's own format")         \
    X(CATEGORICAL, "categorical", CODES, "one of a set of texts")                          \
    X(ID, "id", CODES, "a name for the row: never learned, made anew and unique")          \
    X(IGNORED, "ignored", CODES, "left out of the result")

typedef enum rf_kind {
#define RF_KIND_ENUM(name, text, cells, summary) RF_KIND_##name,
    RF_KIND_TABLE(RF_KIND_ENUM)
#undef RF_KIND_ENUM
        RF_KIND_COUNT
} rf_kind;

const char *rf_kind_name(rf_kind kind);
/* -1 when no kind is called so. */
int rf_kind_find(const char *name);

#endif
