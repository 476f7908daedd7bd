/* csv_convert.h - a column read one way becomes a column of another kind.
 *
 * Texts become numbers and datetimes by way of the dictionary: each distinct text is looked at once.
 */
#ifndef RF_ENGINE_TABLE_CSV_CONVERT_H
#define RF_ENGINE_TABLE_CSV_CONVERT_H

#include "engine/table/csv_parse.h"

/* The texts of a dictionary as numbers. */
typedef struct rfi_text_numbers {
    double *values; /* (dict->n) */
    bool *plain;    /* (dict->n) a number whose text would come back */
    int64_t n_plain, n_infinite;
    int64_t n_strays; /* neither */
    int32_t first_infinite;
    rfi_number_facts facts; /* of the plain ones */
    double least, most;
} rfi_text_numbers;

rf_code rfi_find_numbers(rfi_text_numbers *out, const rfi_dict *dict, char point,
                         rf_error *err) RF_MUST_CHECK;
void rfi_text_numbers_free(rfi_text_numbers *numbers);

/* Cells without a code of their own become -1 and are counted, by token, in read->facts.missing. With
 * `quoted_too` the tokens that stood in quotes are missing as well and leave the dictionary. */
rf_code rfi_take_missing(rfi_column_read *read, int64_t n_rows, bool quoted_too, rf_error *err) RF_MUST_CHECK;

/* Codes become values; the dictionary is freed. */
rf_code rfi_texts_to_numbers(rfi_column_read *read, int64_t n_rows, const rfi_text_numbers *numbers,
                             rf_error *err) RF_MUST_CHECK;

/* The same by a datetime format. *n_odd counts the cells that it does not read: they become NaN with
 * `force`; without it nothing changes when there is one. Sets the facts about UTC offsets. */
rf_code rfi_texts_to_datetimes(rfi_column_read *read, int64_t n_rows, const char *format, bool force,
                               int64_t *n_odd, rf_error *err) RF_MUST_CHECK;

/* Whole numbers become the texts that they were, in order of appearance. */
rf_code rfi_numbers_to_texts(rfi_column_read *read, int64_t n_rows, char point, rf_error *err) RF_MUST_CHECK;

/* How many different values there are; most + 1 when there are more. most <= 16. */
int rfi_count_values(const double *values, int64_t n, int most);

/* Whether there are at least two values and no two are equal. */
rf_code rfi_values_differ(const double *values, int64_t n, bool *differ, rf_error *err) RF_MUST_CHECK;

/* rf_datetime_guess over all texts of a dictionary; *format is NULL when no format reads them all. */
rf_code rfi_guess_datetime(const rfi_dict *dict, const char **format, bool *ambiguous,
                           rf_error *err) RF_MUST_CHECK;

#endif
