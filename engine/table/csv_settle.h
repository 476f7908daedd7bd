/* csv_settle.h - what each column turned out to be, once all of its cells were read.
 *
 * The rules for a column that nobody declared, the first that fits:
 *
 *   numbers      every present cell is one, and would come back as it stood ("007", "+5" and whole
 *                numbers beyond 2^53 are texts). An infinite one is an error.
 *     datetime     8 digits each, all dates of 1900 to 2100 (20201231)
 *     categorical  whole, none negative, and at most min(round(n/10), 10) different ones in n > 5 rows
 *     id           whole, all different, and the name says id (below)
 *     integer      whole;  else continuous
 *   boolean      exactly two texts: true/false, yes/no, t/f or y/n, in any case
 *   datetime     one known format reads every cell
 *   id           all cells present and different, at least 20 of them; or all present ones different and
 *                the name says id
 *   categorical  what is left; also a column without any present cell
 *
 * A name says id when one of its words is "id", or is or contains one of the words for things that name
 * a person or a place (e-mail, phone, ssn, …; csv_words.c). The name alone never decides: a column
 * "state" with 50 texts, or a "customer id" that repeats, is data and is learned.
 */
#ifndef RF_ENGINE_TABLE_CSV_SETTLE_H
#define RF_ENGINE_TABLE_CSV_SETTLE_H

#include "engine/table/csv_plan.h"

typedef struct rfi_settle {
    rfi_csv_read *read;
    const rfi_column_plan *plan;
    rf_table *table; /* fields and columns are filled; codes, values and dictionaries move there */
    rf_notes *notes;
    bool all_quoted; /* every cell of the file stood in quotes, so a quoted "NA" is a missing one */
} rfi_settle;

/* Settles a column, or says that it must be read again as texts. */
rf_code rfi_settle_column(rfi_settle *settle, int32_t column, bool *again, rf_error *err) RF_MUST_CHECK;

/* True when a name suggests that its column names rows rather than describing them. */
bool rfi_name_says_id(const char *name);

#endif
